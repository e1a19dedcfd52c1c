import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { isRef } from "../../../src/git/arguments.ts";

describe("The check of ref names", () => {
  it("accepts a generated name exactly when `git check-ref-format` accepts it", () => {
    const piece = fc.constantFrom(
      "a",
      "B",
      "-",
      ".",
      "..",
      "/",
      "@",
      "@{",
      "{",
      "~",
      "^",
      ":",
      "?",
      "*",
      "[",
      "\\",
      " ",
      "\t",
      "\x7f",
      "lock",
      ".lock",
      "é",
      "%",
    );
    fc.assert(
      fc.property(
        fc.constantFrom("refs/heads/", "refs/tags/"),
        fc.array(piece, { minLength: 1, maxLength: 8 }),
        (place, pieces) => {
          const ref = place + pieces.join("");
          const { status } = spawnSync("git", ["check-ref-format", ref]);
          assert.equal(isRef(ref), status === 0, JSON.stringify(ref));
        },
      ),
      { numRuns: 300 },
    );
  }).timeout(60_000);
});
