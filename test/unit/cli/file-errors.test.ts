import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT, Failure } from "../../../src/cli/exit.ts";
import { explainFileError, explainUnnamedFileError, fileFailure } from "../../../src/cli/file-errors.ts";

const place = { path: "/out", elsewhere: "Choose another folder with --output." };
const systemError = (code: string, more: object = {}) => Object.assign(new Error(`${code}: raw`), { code, ...more });

describe("A file that a command cannot write", () => {
  for (const [code, says] of [
    ["EACCES", /^\/out may not be .* (?:--output|chown -R \d+ \/out)/],
    ["ENOSPC", /^\/out cannot be written: the disk .* Make room there\.$/],
    ["EISDIR", /^\/out is a folder; a file is needed\. .*--output\.$/],
    ["ENOTDIR", /^\/out is a file, or below a file; .*--output\.$/],
    ["EROFS", /^\/out is on a file system that is read-only\. .*--output\.$/],
    ["ENOENT", /^\/out cannot be made: .*--output\.$/],
    ["EFBIG", /^\/out cannot be written: .*ulimit.*--output\.$/],
    ["EIO", /^\/out cannot be written: the disk reports an error/],
  ] as const) {
    it(`is told with its path, the reason and the remedy, not as ${code}: raw`, () => {
      const text = explainFileError(systemError(code), place);
      assert.match(text ?? "", says);
      const failure = fileFailure(systemError(code), place);
      assert.ok(failure instanceof Failure);
      assert.deepEqual([failure.exitCode, failure.message], [EXIT.failed, text]);
    });
  }

  it("is named by the error where the error knows it, and a temporary one by TMPDIR", () => {
    assert.match(explainFileError(systemError("ENOSPC", { path: "/out/a" }), place) ?? "", /^\/out\/a cannot/);
    const path = join(tmpdir(), "deliverd-tree-x");
    assert.match(explainUnnamedFileError(systemError("EROFS", { path })) ?? "", /deliverd-tree-x is .*TMPDIR/);
  });

  it("is not blamed for programs, ports and other errors", () => {
    for (const error of [
      systemError("ENOENT", { syscall: "spawn redis-server", path: "redis-server" }),
      systemError("EACCES", { syscall: "connect", path: "/var/run/docker.sock" }),
      systemError("EACCES", { syscall: "listen" }),
      systemError("engine-gone"),
      new TypeError("a bug"),
    ]) {
      assert.equal(explainFileError(error, place), null);
      assert.equal(fileFailure(error, place), error);
    }
  });
});
