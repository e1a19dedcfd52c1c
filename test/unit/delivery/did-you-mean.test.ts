import assert from "node:assert/strict";
import { didYouMean } from "../../../src/delivery/did-you-mean.ts";

describe("The word that was probably meant", () => {
  for (const [typed, known, meant] of [
    ["prot", ["port", "prepare"], "port"],
    ["githbu", ["github"], "github"],
    ["githb", ["github"], "github"],
    ["dockerhub", ["docker-hub", "oci"], "docker-hub"],
    ["Repos", ["repos"], "repos"],
    ["databseURl", ["databaseUrl"], "databaseUrl"],
  ] as const) {
    it(`of "${typed}" is "${meant}"`, () => {
      assert.equal(didYouMean(typed, known), ` (did you mean "${meant}"?)`);
    });
  }

  for (const [typed, known] of [
    ["gitlab", ["github"]],
    ["gitea", ["github"]],
    ["slack", ["webhook"]],
    ["harbor", ["maven", "docker-hub"]],
    ["ssh", ["hub"]],
  ] as const) {
    it(`is not told for "${typed}", which is another word`, () => {
      assert.equal(didYouMean(typed, known), "");
    });
  }
});
