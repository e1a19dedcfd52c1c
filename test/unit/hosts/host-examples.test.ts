import assert from "node:assert/strict";
import { hostTypes } from "../../../src/hosts/index.ts";
import { hostExamples } from "../../support/hosts/examples/index.ts";

describe("Every type of git host", () => {
  it("has examples of its webhooks, for its contract and for the fuzzer", () => {
    assert.deepEqual(
      [...new Set(hostExamples.map(({ type }) => type))].sort(),
      hostTypes.all.map(({ type }) => type).sort(),
      "add test/support/hosts/examples/<type>.ts to the list in its index.ts",
    );
  });
});
