import assert from "node:assert/strict";
import { readIndexPage } from "../../../src/registries/protocols/pypi/simple-index.ts";

const AT = new URL("https://pypi.example.com/simple/hello/");
const SHA256 = "a".repeat(64);

describe("a page of an index of Python packages", () => {
  it("is read as HTML, with links of every form", async () => {
    const page = `<!DOCTYPE html><html><body>
      <a href="../../files/hello-1.0-py3-none-any.whl#sha256=${SHA256}" data-requires-python="&gt;=3.8">hello</a>
      <a class='x' href='https://files.example.com/a%2Bb/hello-1.0%2Blocal.tar.gz?a=1&amp;b=2'>hello</a>
      <a>nothing</a></body></html>`;
    assert.deepEqual(await readIndexPage(page, AT), [
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

  const wheelAt = (url: string, sha256: string | null = SHA256) => [
    { name: "hello-1.0-py3-none-any.whl", url: new URL(url), sha256 },
  ];
  const file = "hello-1.0-py3-none-any.whl";
  const here = `https://pypi.example.com/simple/hello/${file}`;
  const cases: [title: string, html: string, expected: Awaited<ReturnType<typeof readIndexPage>>][] = [
    [
      "a > in an attribute before href",
      `<a data-requires-python=">=3" href="${file}#sha256=${SHA256}">x</a>`,
      wheelAt(here),
    ],
    ["a < in one", `<a data-requires-python="<4" href='${file}#sha256=${SHA256}'>x</a>`, wheelAt(here)],
    ["attributes without quotes", `<a data-yanked href=${file}#sha256=${SHA256} rel=internal>x</a>`, wheelAt(here)],
    ["an attribute that only ends in href", `<a data-href="other-1.0.whl" href="${file}">x</a>`, wheelAt(here, null)],
    ["a name over several lines, in capitals", `<A\n CLASS=a\n HREF\n =\n "${file}"\n>x</A>`, wheelAt(here, null)],
    [
      "character references",
      `<a href="&#104;ello-1.0&#x2d;py3-none-any.whl&num;sha256&equals;${SHA256}">x</a>`,
      wheelAt(here),
    ],
    ["spaces around the link", `<a href="  ${file}\n">x</a>`, wheelAt(here, null)],
    [
      "a yanked file, which is there all the same",
      `<a data-yanked="bad &quot;>&quot;" href="${file}">x</a>`,
      wheelAt(here, null),
    ],
    ["a digest in capitals", `<a href="${file}#sha256=${SHA256.toUpperCase()}">x</a>`, wheelAt(here)],
    ["a digest among others", `<a href="${file}#md5=ab&sha256=${SHA256}">x</a>`, wheelAt(here)],
    ["another digest", `<a href="${file}#md5=${"a".repeat(32)}">x</a>`, wheelAt(here, null)],
    ["a digest that is none", `<a href="${file}#sha256=${"g".repeat(64)}">x</a>`, wheelAt(here, null)],
    [
      "a base",
      `<head><base href="/f/"></head><a href="${file}">x</a>`,
      wheelAt(`https://pypi.example.com/f/${file}`, null),
    ],
    [
      "two bases, the first of which counts",
      `<base href="https://a.example.com/"><base href="https://b.example.com/"><a href="${file}">x</a>`,
      wheelAt(`https://a.example.com/${file}`, null),
    ],
    ["a link from the root", `<a href="/f/${file}">x</a>`, wheelAt(`https://pypi.example.com/f/${file}`, null)],
    [
      "a link without a scheme",
      `<a href="//f.example.com/${file}">x</a>`,
      wheelAt(`https://f.example.com/${file}`, null),
    ],
    [
      "comments and scripts, which hold no links",
      `<!-- <a href="no.whl"> --><script>"<a href='no.whl'>"</script><a href="${file}">x</a>`,
      wheelAt(here, null),
    ],
    [
      "text that only looks like a link in title, textarea and style",
      `<title><a href="no.whl"></title><textarea><a href="no.whl"></textarea><style><a href="no.whl"></style><a href="${file}">`,
      wheelAt(here, null),
    ],
    ["tags that nobody closed", `<table><tr><td><a href="${file}">x`, wheelAt(here, null)],
    ["a byte order mark", `\uFEFF<!doctype html><a href="${file}">x</a>`, wheelAt(here, null)],
    ["no link at all", "<!DOCTYPE html><title>Links for hello</title>", []],
    ["a link that leads nowhere", `<a href="http://[">x</a>`, []],
  ];
  for (const [title, html, expected] of cases) {
    it(`is read with ${title}`, async () => {
      assert.deepEqual(await readIndexPage(html, AT), expected);
      assert.deepEqual(await readIndexPage(`<!DOCTYPE html><html><body>${html}</body></html>`, AT), expected);
    });
  }

  it("is read in less than two seconds of a processor when 200,000 elements are nested", async () => {
    const page = `<html>${"<div>".repeat(200_000)}<a href="${file}">x</a>`;
    const before = process.cpuUsage();
    assert.deepEqual(await readIndexPage(page, AT), wheelAt(here, null));
    assert.ok(process.cpuUsage(before).user < 2_000_000);
  });

  it("as JSON may leave out digests, and may say more than we know", async () => {
    const page = {
      meta: { "api-version": "1.4", "project-status": "active" },
      files: [
        {
          filename: file,
          url: file,
          hashes: {},
          yanked: "bad",
          "core-metadata": { sha256: "x" },
          "requires-python": ">=3",
        },
        { filename: file, url: `${file}#sha256=${SHA256}` },
        { filename: file, url: file, hashes: { sha256: SHA256.toUpperCase(), blake2b: "x" } },
      ],
    };
    assert.deepEqual(await readIndexPage(`\uFEFF ${JSON.stringify(page)}`, AT), [
      ...wheelAt(here, null),
      ...wheelAt(here),
      ...wheelAt(here),
    ]);
  });

  it("is read as JSON", async () => {
    const files = [{ filename: "hello-1.0.tar.gz", url: "/f/hello-1.0.tar.gz", hashes: { sha256: SHA256 } }];
    assert.deepEqual(await readIndexPage(JSON.stringify({ files }), AT), [
      { name: "hello-1.0.tar.gz", url: new URL("https://pypi.example.com/f/hello-1.0.tar.gz"), sha256: SHA256 },
    ]);
  });

  it("is none where something else answers", async () => {
    for (const text of ["", "hello", '{"files":', '{"message":"no"}'])
      assert.equal(await readIndexPage(text, AT), null);
  });
});
