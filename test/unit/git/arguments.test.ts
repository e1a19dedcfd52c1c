import assert from "node:assert/strict";
import { checkPath, checkRef, checkSha, checkUrl } from "../../../src/git/arguments.ts";

describe("An argument that is passed to git", () => {
  it("is a sha only in full, in lower-case hex", () => {
    for (const sha of ["a".repeat(40), "0123456789abcdef".repeat(4)]) assert.equal(checkSha(sha), sha);
    for (const text of [
      "",
      "HEAD",
      "abc1234",
      "A".repeat(40),
      "a".repeat(41),
      `${"a".repeat(40)}\n`,
      `-${"a".repeat(39)}`,
      "--upload-pack=x",
    ])
      assert.throws(() => checkSha(text), { code: "bad-sha" });
  });

  it("is no ref outside branches and tags, and none of unreasonable length", () => {
    for (const ref of [
      "main",
      "HEAD",
      "refs/pull/1/head",
      "refs/heads",
      "refs/heads/",
      "-u",
      "--exec=x",
      `refs/heads/${"a".repeat(100_000)}`,
    ])
      assert.throws(() => checkRef(ref), { code: "bad-ref" });
    assert.equal(checkRef("refs/heads/--upload-pack=x"), "refs/heads/--upload-pack=x");
  });

  it("is a path only inside the tree, made plain", () => {
    const plain: [string, string][] = [
      [".", ""],
      ["./", ""],
      ["a/..", ""],
      ["a", "a"],
      ["./a//b/", "a/b"],
      ["a/../b", "b"],
      ["..a", "..a"],
      ["-x", "-x"],
    ];
    for (const [path, expected] of plain) assert.equal(checkPath(path), expected);
    for (const path of ["", "/", "/a", "..", "../a", "a/../../b", "a\0b", "a\nb"])
      assert.throws(() => checkPath(path), { code: "bad-path" });
  });

  it("is a URL only by http, and without a password, which the error does not repeat", () => {
    checkUrl("https://git.example.com/acme/api.git");
    for (const url of [
      "ext::sh -c id",
      "file:///etc",
      "ssh://git@example.com/x",
      "git@example.com:x",
      "--upload-pack=x",
      "/srv/x.git",
      "",
    ])
      assert.throws(() => checkUrl(url), { code: "bad-clone-url" });
    assert.throws(
      () => checkUrl("https://ada:hunter2@git.example.com/x.git"),
      (error: Error) => error.message.includes("git.example.com") && !error.message.includes("hunter2"),
    );
  });
});
