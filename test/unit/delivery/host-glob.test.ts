import assert from "node:assert/strict";
import fc from "fast-check";
import picomatch from "picomatch";
import { judge } from "../../../src/delivery/gate.ts";
import { compileHostGlob } from "../../../src/delivery/host-glob.ts";
import type { Check } from "../../../src/delivery/types.ts";

const matches = (glob: string, name: string) => {
  const fits = compileHostGlob(glob);
  assert.ok(fits, `${glob} is usable`);
  return fits(name);
};

describe("a glob of required checks, as Gitea and Forgejo read it,", () => {
  const cases: [glob: string, name: string, isMatch: boolean][] = [
    ["test", "test", true],
    ["test", "Test", false],
    ["test", "test ", false],
    ["", "", true],
    ["", "a", false],
    ["*", "", true],
    ["*", "ci.yml / test (push)", true],
    ["ci.yml / * (push)", "ci.yml / test (push)", true],
    ["ci.yml / * (push)", "ci.yml / test (pull_request)", false],
    ["**/test", "a/b/test", true],
    ["te?t", "te/t", true],
    ["te?t", "tet", false],
    ["t?", "t😀", true],
    ["{lint,test}", "test", true],
    ["{lint,test}", "lint,test", false],
    ["test{,-race}", "test", true],
    ["test{,-race}", "test-race", true],
    ["{a{b,c},d}", "ac", true],
    ["{a{b,c},d}", "a", false],
    ["{*-linux,windows}/x", "arm-linux/x", true],
    ["node [0-9][0-9]", "node 22", true],
    ["node [0-9][0-9]", "node 2x", false],
    ["[!a-c]", "d", true],
    ["[!a-c]", "b", false],
    ["[a-cx]", "x", true],
    ["[-a]", "-", true],
    ["[a-]", "-", true],
    ["[\\]]", "]", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a,b", "a,b", true],
    ["a}b]", "a}b]", true],
    ["(a+)+$", "(a+)+$", true],
    ["a.c", "abc", false],
  ];
  for (const [glob, name, isMatch] of cases) {
    it(`"${glob}" ${isMatch ? "matches" : "does not match"} "${name}"`, () => {
      assert.equal(matches(glob, name), isMatch);
    });
  }

  const unusable = [
    "{a,b",
    "{a",
    "[a",
    "[]",
    "[!]",
    "[]a]",
    "[^a]",
    "[[:alpha:]]",
    "[z-a]",
    "\\",
    "[\\",
    "\\d",
    "[\\d]",
  ];
  for (const glob of [...unusable, "x".repeat(1_001), "{".repeat(1_000)]) {
    it(`"${glob.slice(0, 12)}" is not usable: it is broken, or hosts differ in what it means`, () => {
      assert.equal(compileHostGlob(glob), null);
    });
  }

  /** A glob, and the regular expression of the same meaning. */
  interface Meaning {
    glob: string;
    regex: string;
  }
  const literal = fc
    .constantFrom("a", "b", "/", " ", "-", ".", "(", "+", "*", "?", "{", "}", "[", "]", "\\", ",")
    .map((character) => ({
      glob: /[a-z/ .(+-]/.test(character) ? character : `\\${character}`,
      regex: character.replace(/[.(+*?{}[\]\\]/, "\\$&"),
    }));
  const wildcard = fc.constantFrom<Meaning>(
    { glob: "*", regex: ".*" },
    { glob: "**", regex: ".*" },
    { glob: "?", regex: "." },
    { glob: "[a-b]", regex: "[ab]" },
    { glob: "[!b/]", regex: "[^b/]" },
    { glob: "[\\]\\\\*]", regex: "[\\]\\\\*]" },
  );
  const { sequence } = fc.letrec<{ sequence: Meaning; part: Meaning; braces: Meaning }>((tie) => ({
    sequence: fc.array(tie("part"), { maxLength: 4 }).map((parts) => ({
      glob: parts.map(({ glob }) => glob).join(""),
      regex: parts.map(({ regex }) => regex).join(""),
    })),
    part: fc.oneof({ depthSize: "small", withCrossShrink: true }, literal, wildcard, tie("braces")),
    braces: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((options) => ({
      glob: `{${options.map(({ glob }) => glob).join(",")}}`,
      regex: `(?:${options.map(({ regex }) => regex).join("|")})`,
    })),
  }));
  const names = fc.array(fc.constantFrom("a", "b", "/", " ", "-", "(", "*", "]", "\\"), { maxLength: 6 });

  it("agrees with a regular expression of the same meaning, for any glob and name", () => {
    let matched = 0;
    fc.assert(
      fc.property(sequence, names, ({ glob, regex }, characters) => {
        const name = characters.join("");
        const isMatch = new RegExp(`^(?:${regex})$`, "s").test(name);
        matched += Number(isMatch);
        assert.equal(matches(glob, name), isMatch, `${glob} on ${name}`);
      }),
      { numRuns: 5_000 },
    );
    assert.ok(matched > 100, `only ${matched} of the pairs matched`);
  });

  it("agrees with picomatch on stars, braces and classes, where no slash is", () => {
    const piece = fc.constantFrom("a", "b", "*", "?", "{a,b}", "{ab,b}", "[ab]", "[a-c]");
    const letters = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), letters, (pieces, word) => {
        const [glob, name] = [pieces.join(""), word.join("")];
        fc.pre(!/\*[*?]|\?\*/.test(glob));
        assert.equal(matches(glob, name), picomatch.isMatch(name, glob), `${glob} on ${name}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is read whatever it is: any text is a glob or is not usable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ unit: "binary" }), (glob, name) => {
        assert.equal(typeof (compileHostGlob(glob)?.(name) ?? false), "boolean");
      }),
    );
  });

  it("of a hostile author takes no longer than any other", () => {
    const before = process.cpuUsage();
    assert.equal(matches(`${"*a".repeat(60)}*b`, "a".repeat(1_000)), false);
    assert.equal(matches(`${"{a,a*}".repeat(80)}b`, "a".repeat(500)), false);
    assert.ok(process.cpuUsage(before).user < 2_000_000);
  });

  it("holds the commit up while it is not usable, and says so", () => {
    const passed: Check = { name: "test", source: "status", state: "passed", app: null, detail: "success", at: 0 };
    const gate = { ci: "required" as const, required: [], apps: null, settle: 0, timeout: 1 };
    const hostRequired = [{ kind: "check" as const, name: "{test", appId: null, isGlob: true }];
    const { verdict, because } = judge([passed], gate, { hostRequired, now: 1 });
    assert.deepEqual([verdict, /'status check \{test'/.test(because)], ["pending", true]);
  });
});
