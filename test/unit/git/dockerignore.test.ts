import assert from "node:assert/strict";
import fc from "fast-check";
import { Dockerignore } from "../../../src/git/dockerignore.ts";
import { compileGlob } from "../../../src/git/dockerignore-glob.ts";

/** Which of the paths are left, folders asked before what is in them. */
function left(lines: string[], paths: string[]): string[] {
  const ignore = new Dockerignore(lines.join("\n"), ".dockerignore");
  return paths.filter(
    (path) =>
      !ignore.ignores(
        path,
        paths.some((other) => other.startsWith(`${path}/`)),
      ),
  );
}

describe("A .dockerignore file", () => {
  const table: [string, string[], string[], string[]][] = [
    ["ignores a path from the root only", ["temp"], ["temp", "a", "a/temp"], ["a", "a/temp"]],
    ["ignores all that is in an ignored folder", ["a"], ["a", "a/b", "a/b/c", "ab"], ["ab"]],
    [
      "takes * within a folder",
      ["*/temp*"],
      ["a", "a/temporary.txt", "a/b", "a/b/temp", "temp"],
      ["a", "a/b", "a/b/temp", "temp"],
    ],
    ["takes ? for one character", ["temp?"], ["tempa", "temp", "tempab"], ["temp", "tempab"]],
    [
      "takes ** for any number of folders, none included",
      ["**/*.go"],
      ["x.go", "a", "a/x.go", "a/b", "a/b/x.go", "x.gox"],
      ["a", "a/b", "x.gox"],
    ],
    ["takes ** in the middle", ["a/**/z"], ["a", "a/z", "a/b", "a/b/z", "az"], ["a", "a/b", "az"]],
    ["takes ** at the end", ["a/**"], ["a", "a/b", "a/b/c"], ["a"]],
    ["takes **.log as BuildKit does: whatever ends so", ["**.log"], ["x.log", "a", "a/y.log", "a/log"], ["a", "a/log"]],
    [
      "takes a leading and a trailing slash as none",
      ["/foo/bar/", "baz/"],
      ["foo", "foo/bar", "foo/bar/x", "baz"],
      ["foo"],
    ],
    [
      "lets an exception bring back what an earlier line took",
      ["*.md", "!README.md"],
      ["a.md", "README.md"],
      ["README.md"],
    ],
    [
      "lets the last line decide",
      ["*.md", "!README*.md", "README-secret.md"],
      ["README.md", "README-secret.md"],
      ["README.md"],
    ],
    ["and again", ["*.md", "README-secret.md", "!README*.md"], ["x.md", "README-secret.md"], ["README-secret.md"]],
    ["brings back what is in an ignored folder", ["a", "!a/b"], ["a", "a/b", "a/b/c", "a/d"], ["a/b", "a/b/c"]],
    ["brings back by ** too", ["*", "!**/*.ts"], ["a", "a/b.ts", "a/c"], ["a/b.ts"]],
    ["brings back all in an excepted folder", ["**/*.f", "!d"], ["d", "d/x.f", "y.f"], ["d", "d/x.f"]],
    [
      "skips comments and empty lines, and cuts spaces and CR",
      ["# a", "", "   ", "  b  ", "c\r"],
      ["# a", "a", "b", "c"],
      ["# a", "a"],
    ],
    ["knows classes, ranges and negation", ["[a-c]", "x[^0-9]", "\\*"], ["a", "d", "x1", "xy", "*"], ["d", "x1"]],
    [
      "takes what means something only in regular expressions as itself",
      ["a.b", "c+(d)", "{e}", "^f$"],
      ["a.b", "axb", "c+(d)", "{e}", "^f$"],
      ["axb"],
    ],
    ["is case-sensitive", ["Temp"], ["temp", "Temp"], ["temp"]],
    ["cleans dots", ["./a/../b"], ["a", "b"], ["a"]],
    ["cannot ignore the context itself", ["."], ["a"], ["a"]],
    ["skips a byte order mark", ["\uFEFFa"], ["a"], []],
  ];
  for (const [title, lines, paths, expected] of table) it(title, () => assert.deepEqual(left(lines, paths), expected));

  it("with a line that is no pattern is refused, naming file and line", () => {
    for (const line of ["!", "a[", "[]", "[a-", "x\\"]) {
      assert.throws(() => new Dockerignore(`ok\n${line}`, "x.dockerignore"), {
        code: "dockerignore-pattern",
        message: /x\.dockerignore, line 2/,
      });
    }
  });
});

describe("A glob of .dockerignore", () => {
  it("says what the regular expression of the same meaning says", () => {
    const pieces: [string, string][] = [
      ["a", "a"],
      ["b", "b"],
      ["/", "/"],
      ["*", "[^/]*"],
      ["?", "[^/]"],
      ["[ab]", "[ab]"],
      ["[^a]", "[^a/]"],
      ["/**/", "/(?:.*/)?"],
    ];
    const path = fc.array(fc.constantFrom("a", "b", "/", "c"), { maxLength: 8 }).map((chars) => chars.join(""));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }), path, (chosen, text) => {
        const glob = chosen.map(([piece]) => piece).join("");
        // Stars that happen to stand side by side, or folders at the end, mean something of their own: the table has them.
        const together = chosen.some(([piece], index) => piece === "*" && chosen[index + 1]?.[0] === "*");
        fc.pre(!together && !glob.endsWith("/**/"));
        assert.equal(
          compileGlob(glob)(text),
          new RegExp(`^${chosen.map(([, source]) => source).join("")}$`).test(text),
          `${glob} ${text}`,
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it("is decided in little time, however hostile", () => {
    const path = `${"a".repeat(100)}/`.repeat(40);
    for (const glob of [`${"*a".repeat(60)}b`, `${"**/".repeat(60)}b`, `${"**/*a*/".repeat(30)}b`]) {
      const start = performance.now();
      assert.equal(compileGlob(glob)(path), false);
      assert.ok(performance.now() - start < 2_000, `${glob.slice(0, 20)} took ${performance.now() - start} ms`);
    }
  });
});
