import assert from "node:assert/strict";
import {
  parseArtifact,
  parseCommit,
  parseDeliveryId,
  parseLimit,
  parseRelease,
  parseRepo,
  parseSha,
} from "../../../src/cli/arguments.ts";

const SHA = "0123456789abcdef".repeat(3).slice(0, 40);

/** Each parser, with what it accepts and what it refuses. */
const CASES: [name: string, parse: (text: string) => unknown, good: string[], bad: string[]][] = [
  [
    "a sha",
    parseSha,
    ["0123456", SHA, SHA.toUpperCase(), "f".repeat(64)],
    ["", "012345", "0123456g", "main", "-0123456", "f".repeat(65), "0123456\n"],
  ],
  [
    "a repo",
    parseRepo,
    ["acme/api", "github/acme/api", "gitlab/acme/team/api"],
    ["", "api", "/api", "acme/", "acme//api", "acme /api", "acme/api@1", "acme/api\n"],
  ],
  ["a limit", parseLimit, ["1", "200", "999999999"], ["", "0", "-1", "1.5", "ten", "1e3", "01", "1000000000"]],
  ["an artifact", parseArtifact, ["api", "a.b_c-d", "0"], ["", "API", "-a", "a/b", "a".repeat(64)]],
  [
    "a commit",
    parseCommit,
    ["acme/api@0123456", `github/acme/api@${SHA}`],
    ["", "acme/api", "acme/api@", "@0123456", "api@0123456", "acme/api@main", "acme/api@012345"],
  ],
  [
    "a release",
    parseRelease,
    ["api@latest", "api@1.2.3", "api@v1.2.3", "api@1.2.4-5.gab12cd3", "api@1.2.3+build.5"],
    ["", "api", "api@", "@1.2.3", "API@1.2.3", "api@1.2", "api@main", "api@1.2.3 ", "api@1.2.3-"],
  ],
  [
    "a delivery",
    parseDeliveryId,
    ["k3v9x0a1b2c4", "nosuchthing0"],
    ["", "k3v9x0a1b2c", "k3v9x0a1b2c4d", "K3V9X0A1B2C4", "../releases/x", SHA],
  ],
];

describe("an argument of the command line", () => {
  for (const [name, parse, good, bad] of CASES) {
    it(`is ${name}, or wrong usage`, () => {
      for (const text of good) assert.doesNotThrow(() => parse(text), text);
      for (const text of bad) {
        assert.throws(() => parse(text), /must be|is not|does not have the form|is wrong/, JSON.stringify(text));
      }
    });
  }

  it("is read in its parts", () => {
    assert.deepEqual(parseCommit("github/acme/api@ABCDEF1"), { repo: "github/acme/api", sha: "abcdef1" });
    assert.deepEqual(parseRelease("api@v1.2.3"), { artifact: "api", version: "v1.2.3" });
    assert.equal(parseLimit("20"), 20);
  });
});
