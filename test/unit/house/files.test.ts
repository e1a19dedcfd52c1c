import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "../../../scripts/imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("the files of this house", () => {
  it("stay under 300 lines, so that each does one thing", () => {
    const tooLong = sourceFiles(root).filter((path) => read(path).split("\n").length > 300);
    assert.deepEqual(tooLong, []);
  });

  it("run every test: none alone, none left out", () => {
    const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".test.ts"),
    );
    const switched = /\b(?:describe|it|context|suite|test)\.(?:only|skip)\(|\bx(?:it|describe|context)\(/;
    assert.deepEqual(
      tests.filter((path) => switched.test(read(`test/${path}`))),
      [],
    );
  });

  it("name no place from which npm packages come, so that everybody's own registry serves", () => {
    const lock: { packages: Record<string, { resolved?: string; integrity?: string }> } = JSON.parse(
      read("package-lock.json"),
    );
    const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
    assert.ok(packages.length > 100);
    for (const [path, { resolved, integrity }] of packages) {
      assert.equal(resolved, undefined, `${path} names its place: set omit-lockfile-registry-resolved and lock again`);
      assert.match(integrity ?? "", /^sha512-/, `${path} is not locked by its content`);
    }
  });
});
