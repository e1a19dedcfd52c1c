import assert from "node:assert/strict";
import { readNpmPackage } from "../../../src/packages/npm-package.ts";
import { tarOf } from "./sources.ts";

const own = { name: "a", version: "1.0.0" };
const read = async (...entries: [string, string][]) => readNpmPackage(await tarOf(...entries));

describe("an npm package", () => {
  for (const [title, path, text] of [
    ["in the folder that npm pack writes", "package/package.json", JSON.stringify(own)],
    ["in another folder", "client-1.0/package.json", JSON.stringify(own)],
    ["below ./, as tar writes what is packed by hand", "./package/package.json", JSON.stringify(own)],
    ["behind a byte order mark", "package/package.json", `\uFEFF${JSON.stringify(own)}`],
  ] as const) {
    it(`is read from a package.json ${title}`, async () => {
      assert.deepEqual((await read([path, text])).manifest, own);
    });
  }

  for (const field of [
    { description: null },
    { description: ["a", "b"] },
    { private: "no" },
    { publishConfig: null },
    { publishConfig: { access: null, tag: "next" } },
  ]) {
    it(`takes ${JSON.stringify(field)} for not said`, async () => {
      const { manifest } = await read(["package/package.json", JSON.stringify({ ...own, ...field, keep: [1] })]);
      assert.equal(manifest.description ?? manifest.private ?? manifest.publishConfig?.access, undefined);
      assert.deepEqual(manifest.keep, [1]);
    });
  }

  it("has one package.json, since npm installs the last and others show the first", async () => {
    const other = JSON.stringify({ ...own, version: "2.0.0" });
    for (const path of ["package/package.json", "./package/package.json", "other/package.json"])
      await assert.rejects(read(["package/package.json", JSON.stringify(own)], [path, other]), /it holds/);
  });

  for (const text of [
    "{",
    "[]",
    '"a"',
    "null",
    '{"name":"a"}',
    '{"name":"","version":"1.0.0"}',
    '{"name":1,"version":"1.0.0"}',
  ]) {
    it(`cannot be one whose package.json is ${text}`, async () => {
      await assert.rejects(read(["package/package.json", text]), /its package\.json has no name or no version/);
    });
  }

  it("brings its readme, but not one that no registry would show", async () => {
    const json: [string, string] = ["package/package.json", JSON.stringify(own)];
    assert.equal((await read(json, ["package/README.md", "# Hello"])).readme, "# Hello");
    assert.equal((await read(["./package/Readme.markdown", "# Hello"], json)).readme, "# Hello");
    assert.equal((await read(json, ["package/docs/README.md", "# Hello"])).readme, "");
    assert.equal((await read(json, ["package/README.md", "x".repeat(600_000)])).readme, "");
  });
});
