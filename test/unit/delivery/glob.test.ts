import assert from "node:assert/strict";
import fc from "fast-check";
import picomatch from "picomatch";
import { globMatches, nameMatches } from "../../../src/delivery/glob.ts";

describe("a glob pattern", () => {
  const cases: [glob: string, text: string, matches: boolean][] = [
    ["main", "main", true],
    ["main", "Main", false],
    ["main", "maintenance", false],
    ["release/*", "release/1.2", true],
    ["release/*", "release/1.2/fix", false],
    ["release/**", "release/1.2/fix", true],
    ["*", "feature/x", false],
    ["**", "feature/x", true],
    ["v*", "v1.2.3", true],
    ["v?", "v1", true],
    ["a?c", "a/c", false],
    ["**/docs/**", "docs/index.md", true],
    ["**/docs/**", "a/b/docs/index.md", true],
    ["**/docs/**", "mydocs/index.md", false],
    ["api/**", "apis/x", false],
    ["(a+)+$", "(a+)+$", true],
    ["[abc]", "a", false],
    ["", "", true],
    ["*", "", true],
  ];
  for (const [glob, text, matches] of cases) {
    it(`"${glob}" ${matches ? "matches" : "does not match"} "${text}"`, () => {
      assert.equal(globMatches(glob, text), matches);
    });
  }

  it("agrees with picomatch on segments, stars and letters", () => {
    const piece = fc.constantFrom("a", "b", "ab", "*", "a*", "*b", "?");
    const word = fc.constantFrom("a", "b", "ab", "abb", "ba");
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.constant("**")), { minLength: 1, maxLength: 4 }),
        fc.array(word, { minLength: 1, maxLength: 4 }),
        (pieces, words) => {
          // Where picomatch lets a last /** match nothing at all, GitHub does not.
          fc.pre(pieces.at(-1) !== "**" || pieces.length === 1);
          const [glob, text] = [pieces.join("/"), words.join("/")];
          assert.equal(globMatches(glob, text), picomatch.isMatch(text, glob), `${glob} on ${text}`);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("of a hostile author takes no longer than any other", () => {
    const before = process.cpuUsage();
    assert.equal(globMatches(`${"*a".repeat(60)}*b`, "a".repeat(1_000)), false);
    assert.equal(globMatches(`${"**/".repeat(60)}b`, "a/".repeat(1_000)), false);
    assert.ok(process.cpuUsage(before).user < 1_000_000);
  });

  it("for a check's name lets a star pass a slash, so that nothing required slips by", () => {
    assert.equal(nameMatches("test*", "test / unit (20)"), true);
    assert.equal(nameMatches("test (*)", "test (20)"), true);
    assert.equal(nameMatches("lint", "lint / js"), false);
  });
});
