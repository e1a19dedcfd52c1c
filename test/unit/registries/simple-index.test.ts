import assert from "node:assert/strict";
import { readIndexPage } from "../../../src/registries/protocols/pypi/simple-index.ts";

const AT = new URL("https://pypi.example.com/simple/hello/");
const SHA256 = "a".repeat(64);

describe("a page of an index of Python packages", () => {
  it("is read as HTML, with links of every form", () => {
    const page = `<!DOCTYPE html><html><body>
      <a href="../../files/hello-1.0-py3-none-any.whl#sha256=${SHA256}" data-requires-python="&gt;=3.8">hello</a>
      <a class='x' href='https://files.example.com/a%2Bb/hello-1.0%2Blocal.tar.gz?a=1&amp;b=2'>hello</a>
      <a>nothing</a></body></html>`;
    assert.deepEqual(readIndexPage(page, AT), [
      {
        name: "hello-1.0-py3-none-any.whl",
        url: new URL("https://pypi.example.com/files/hello-1.0-py3-none-any.whl"),
        sha256: SHA256,
      },
      {
        name: "hello-1.0+local.tar.gz",
        url: new URL("https://files.example.com/a%2Bb/hello-1.0%2Blocal.tar.gz?a=1&b=2"),
        sha256: null,
      },
    ]);
  });

  it("is read as JSON", () => {
    const files = [{ filename: "hello-1.0.tar.gz", url: "/f/hello-1.0.tar.gz", hashes: { sha256: SHA256 } }];
    assert.deepEqual(readIndexPage(JSON.stringify({ files }), AT), [
      { name: "hello-1.0.tar.gz", url: new URL("https://pypi.example.com/f/hello-1.0.tar.gz"), sha256: SHA256 },
    ]);
  });

  it("is none where something else answers", () => {
    for (const text of ["", "hello", '{"files":', '{"message":"no"}']) assert.equal(readIndexPage(text, AT), null);
  });
});
