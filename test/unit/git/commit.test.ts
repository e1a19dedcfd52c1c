import assert from "node:assert/strict";
import { parseCommit, requireDate } from "../../../src/git/commit.ts";
import { parseTreeObject } from "../../../src/git/tree.ts";

const sha = "a".repeat(40);

describe("A commit object", () => {
  const headers = (more = "") =>
    `tree ${sha}\nparent ${"b".repeat(40)}\nparent ${"c".repeat(40)}\nauthor Ada <ada@example.com> 5 +0000\n` +
    `committer Bob <bob@example.com> 1700000000 -0330\n${more}\n`;

  it("tells its parents, its author, the committer's time, and its message without the blank lines around it", () => {
    assert.deepEqual(parseCommit(sha, Buffer.from(`${headers()}\nSubject\n\nBody\n\n`)), {
      sha,
      committedAt: new Date(1_700_000_000_000),
      message: "Subject\n\nBody",
      author: "Ada <ada@example.com>",
      parents: ["b".repeat(40), "c".repeat(40)],
    });
  });

  it("is read in the encoding that it names, as UTF-8 where nobody knows that one", () => {
    const bytes = Buffer.concat([
      Buffer.from(`${headers("encoding ISO-8859-1\n")}Gr`),
      Buffer.from([0xfc, 0xdf, 0x65]),
    ]);
    assert.equal(parseCommit(sha, bytes).message, "Grüße");
    assert.equal(parseCommit(sha, Buffer.from(`${headers("encoding of-my-own\n")}Grüße`)).message, "Grüße");
  });

  it("takes no line of a signature or of the message for a header", () => {
    const signed = headers("gpgsig -----BEGIN\n parent no\n author Eve <eve@example.com> 1 +0000\n");
    const commit = parseCommit(sha, Buffer.from(`${signed}parent of all\nauthor Mallory <m> 1 +0000`));
    assert.equal(commit.author, "Ada <ada@example.com>");
    assert.equal(commit.parents.length, 2);
  });

  it("may be as broken as a commit can be made: no author, no time, no message", () => {
    const { author, committedAt, message } = parseCommit(sha, Buffer.from(`tree ${sha}\ncommitter x\n`));
    assert.deepEqual({ author, committedAt, message }, { author: " <>", committedAt: null, message: "" });
  });

  const dated = (committer: string | null) =>
    parseCommit(sha, Buffer.from(`tree ${sha}\n${committer === null ? "" : `committer ${committer}\n`}\nSubject`));

  for (const [committer, at] of [
    ["Bob <b@example.com> 0 +0000", 0],
    ["Bob <b@example.com> 1700000000", 1_700_000_000],
    ["Bob > 5 +0000 <b@example.com> 1700000000 +0000", 1_700_000_000],
    ["<> 4294967296 -1200", 4_294_967_296],
    ["Bob <b@example.com> 253402300799 +0000", 253_402_300_799],
  ] as const) {
    it(`tells the time of ${committer}`, () => {
      const commit = requireDate(dated(committer));
      assert.equal(commit.committedAt.getTime(), at * 1000);
      assert.match(commit.committedAt.toISOString(), /^\d{4}-/);
    });
  }

  for (const committer of [
    "Bob <b@example.com> 18446744073709551616 +0000",
    "Bob <b@example.com> 8640000000001 +0000",
    "Bob <b@example.com> 253402300800 +0000",
    `Bob <b@example.com> ${"9".repeat(400)} +0000`,
    "Bob <b@example.com> -1 +0000",
    "Bob <b@example.com> 1e9 +0000",
    "Bob <b@example.com> yesterday",
    "Bob <b@example.com>",
    "Bob 1700000000 +0000",
    null,
  ]) {
    it(`that has a time nobody can write is refused by its name: ${committer?.slice(0, 60) ?? "no committer"}`, () => {
      const commit = dated(committer);
      assert.equal(commit.committedAt, null);
      assert.throws(() => requireDate(commit), { code: "commit-date", message: new RegExp(sha) });
    });
  }
});

describe("A tree object", () => {
  const entry = (mode: string, name: string, bytes: number) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.alloc(bytes, 1)]);

  it("tells its entries, whatever is in their names, with ids of 20 or of 32 bytes", () => {
    for (const bytes of [20, 32]) {
      const names = ["a b", "ü\n", "x"];
      const modes = ["100644", "40000", "120000"];
      const tree = Buffer.concat(names.map((name, index) => entry(modes[index] ?? "", name, bytes)));
      const object = "01".repeat(bytes);
      assert.deepEqual(
        [...parseTreeObject(tree, bytes)],
        [
          ["a b", { kind: "regular file", object }],
          ["ü\n", { kind: "directory", object }],
          ["x", { kind: "symbolic link", object }],
        ],
      );
    }
  });

  it("that is cut off ends", () => {
    assert.equal(parseTreeObject(Buffer.from("100644 name-without-an-end"), 20).size, 0);
  });
});
