import assert from "node:assert/strict";
import { parseCommit } from "../../../src/git/commit.ts";
import { entriesOf } from "../../../src/git/tree.ts";

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
    assert.deepEqual({ author, at: committedAt.getTime(), message }, { author: " <>", at: 0, message: "" });
  });
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
        [...entriesOf(tree, bytes)],
        [
          ["a b", { kind: "regular file", object }],
          ["ü\n", { kind: "directory", object }],
          ["x", { kind: "symbolic link", object }],
        ],
      );
    }
  });

  it("that is cut off ends", () => {
    assert.equal(entriesOf(Buffer.from("100644 name-without-an-end"), 20).size, 0);
  });
});
