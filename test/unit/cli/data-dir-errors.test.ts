import assert from "node:assert/strict";
import { dataDirError } from "../../../src/cli/data-dir-errors.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";

const dataDir = "/data";

describe("A data directory that cannot be used", () => {
  const cases: [title: string, code: string, path: string, says: RegExp][] = [
    ["on a full disk", "ENOSPC", "/data/store-id", /\/data\/store-id cannot be written: the disk .* full. Make room/],
    ["whose quota is used up", "EDQUOT", "/data/tmp", /\/data\/tmp cannot be written: .*quota/],
    ["whose disk is full for SQLite", "SQLITE_FULL", "/data/worker.lock", /\/data\/worker.lock cannot be written/],
    ["on a read-only file system", "EROFS", "/data", /\/data is on a file system that is read-only. Mount a volume/],
    ["below a read-only root", "EROFS", "/", /\/ is on a file system that is read-only/],
    ["of another user", "EACCES", "/data/admin-token", /\/data\/admin-token may not be (?:read and )?written/],
    ["on a network file system", "SQLITE_IOERR_LOCK", "/data/worker.lock", /cannot lock files/],
  ];
  for (const [title, code, path, says] of cases) {
    it(`${title} is told with the file, the reason and the remedy (data-dir-unusable)`, () => {
      const error = dataDirError(dataDir, Object.assign(new Error(`${code}: raw`), { code, path }));
      assert.ok(error instanceof ConfigError);
      assert.equal(error.code, "data-dir-unusable");
      assert.match(error.message, says);
      assert.match(error.message, /Make room|Set dataDir|chown -R|Mount a volume/);
    });
  }

  it("is not blamed for files elsewhere, nor for other errors", () => {
    const elsewhere = Object.assign(new Error("EACCES"), { code: "EACCES", path: "/etc/ssl/ca.pem" });
    const bug = new TypeError("undefined is not a function");
    for (const error of [elsewhere, bug, new ConfigError("bad-config", "x")]) {
      assert.equal(dataDirError(dataDir, error), error);
    }
  });
});
