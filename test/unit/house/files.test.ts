import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Locked, missingEntries } from "../../../scripts/complete-lock.ts";
import { sourceFiles } from "../../../scripts/imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("the files of this repository", () => {
  it("stay under 300 lines, so that each does one thing", () => {
    const tooLong = sourceFiles(root).filter((path) => read(path).trimEnd().split("\n").length > 300);
    assert.deepEqual(tooLong, []);
  });

  it("contain no `.only` and no skipped test", () => {
    const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".test.ts"),
    );
    const switched = /\b(?:describe|it|context|suite|test)\.(?:only|skip)\(|\bx(?:it|describe|context)\(/;
    assert.deepEqual(
      tests.filter((path) => switched.test(read(`test/${path}`))),
      [],
    );
    // Those of test/soak take hours, those of test/peers and test/hosts need what Debian does not have: they have
    // commands of their own.
    const run = /^(?:e2e|faults|attacks|fuzz|integration|simulation|unit|soak|peers|hosts)\//;
    assert.deepEqual(
      tests.filter((path) => !run.test(path)),
      [],
      "scripts/test.mjs has no lane for them",
    );
  });

  describe("lock the npm packages", () => {
    const { packages }: { packages: Record<string, Locked> } = JSON.parse(read("package-lock.json"));
    const locked = Object.entries(packages).filter(([path]) => path !== "");

    it("without a registry URL, so that any registry works", () => {
      assert.ok(locked.length > 100);
      const placed = locked.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path);
      assert.deepEqual(placed, [], "set omit-lockfile-registry-resolved=true and lock again");
    });

    it("by their content, unless one is a build for a platform that no registry at hand serves", () => {
      const loose = locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-"));
      const unexcused = loose.filter(
        ([, { optional, os, cpu }]) => !optional || (os === undefined && cpu === undefined),
      );
      assert.deepEqual(unexcused, []);
    });

    it("for every platform: npm ci refuses a lock that leaves one out", () => {
      assert.deepEqual(missingEntries(packages), {}, "run npm run complete-lock");
    });
  });
});
