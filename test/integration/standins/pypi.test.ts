import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type PypiStandIn, startPypi } from "../../support/registries/files/pypi.ts";
import { TOKEN } from "../../support/registries/files/server.ts";

const FILE = "hello-1.0.0-py3-none-any.whl";
const BYTES = Buffer.from("the bytes of a wheel");
const RIGHT: Record<string, string> = {
  ":action": "file_upload",
  protocol_version: "1",
  metadata_version: "2.1",
  name: "hello",
  version: "1.0.0",
  filetype: "bdist_wheel",
  pyversion: "py3",
  sha256_digest: createHash("sha256").update(BYTES).digest("hex"),
};

describe("The PyPI stand-in", () => {
  let server: PypiStandIn;
  beforeEach(async () => {
    server = await startPypi();
  });
  afterEach(() => server.stop());

  const upload = async (fields: Record<string, string>, file = FILE, bytes = BYTES, token = TOKEN) => {
    const body = new FormData();
    for (const [name, value] of Object.entries({ ...RIGHT, ...fields })) body.append(name, value);
    if (file !== "") body.append("content", new Blob([bytes]), file);
    const authorization = `Basic ${Buffer.from(`__token__:${token}`).toString("base64")}`;
    const answer = await fetch(server.url, { method: "POST", body, headers: { Authorization: authorization } });
    return `${answer.status} ${answer.statusText}`;
  };

  it("accepts an upload, and the same upload again", async () => {
    assert.equal(await upload({}), "200 OK");
    assert.equal(await upload({}), "200 OK");
    assert.equal(server.uploads.length, 1);
  });

  const mistakes: [string, RegExp, () => Promise<string>][] = [
    ["a wrong token", /^403 /, () => upload({}, FILE, BYTES, "wrong")],
    ["an upload without an action", /^400 Unknown protocol/, () => upload({ ":action": "" })],
    ["an upload without a metadata version", /^400 .*metadata_version/, () => upload({ metadata_version: "" })],
    ["an upload without a name", /^400 .*name/, () => upload({ name: "" })],
    ["an upload without a version", /^400 .*version/, () => upload({ version: "" })],
    ["an upload without a file type", /^400 .*filetype/, () => upload({ filetype: "" })],
    ["an unknown file type", /^400 .*filetype/, () => upload({ filetype: "bdist_egg" })],
    ["a wheel without a Python version", /^400 Python version/, () => upload({ pyversion: "" })],
    [
      "a source distribution with a Python version",
      /^400 .*sdist/,
      () => upload({ filetype: "sdist" }, "hello-1.0.0.tar.gz"),
    ],
    ["an upload without a file", /^400 .*file/, () => upload({}, "")],
    ["a file of another project", /^400 .*project/, () => upload({ name: "other" })],
    ["a file of another version", /^400 Version/, () => upload({ version: "2.0.0" })],
    ["a file that is no distribution", /^400 .*extension/, () => upload({}, "hello-1.0.0.exe")],
    ["an upload without a digest", /^400 .*digest/, () => upload({ sha256_digest: "" })],
    ["a wrong digest", /^400 .*digest/, () => upload({ md5_digest: "0".repeat(32) })],
  ];
  for (const [title, expected, send] of mistakes) {
    it(`refuses ${title}`, async () => {
      assert.match(await send(), expected);
      assert.deepEqual(server.uploads, []);
    });
  }

  it("refuses other bytes under an existing name", async () => {
    await upload({});
    const other = Buffer.from("others");
    const sha256_digest = createHash("sha256").update(other).digest("hex");
    assert.match(await upload({ sha256_digest }, FILE, other), /^400 File already exists/);
    assert.deepEqual(server.uploads[0]?.bytes, BYTES);
  });
});
