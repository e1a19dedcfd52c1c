import assert from "node:assert/strict";
import { stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../../src/run/make-folder.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

describe("makeFolder", () => {
  let dir: TempDir;
  before(async () => {
    dir = await tempDir();
  });
  after(() => dir.remove());

  it("makes every missing folder with the mode, and returns the first one", async () => {
    const path = join(dir.path, "a", "b", "c");
    assert.equal(await makeFolder(path, 0o700), join(dir.path, "a"));
    assert.equal((await stat(path)).mode & 0o777, 0o700);
    assert.equal(await makeFolder(path), undefined);
  });

  it("lets several callers make the same folder", async () => {
    const path = join(dir.path, "d", "e");
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    assert.ok((await stat(path)).isDirectory());
  });

  it("follows a link to a folder, and refuses a link to nowhere", async () => {
    await symlink(dir.path, join(dir.path, "link"));
    await makeFolder(join(dir.path, "link", "f"));
    assert.ok((await stat(join(dir.path, "f"))).isDirectory());
    await symlink("/nowhere", join(dir.path, "nowhere"));
    await assert.rejects(makeFolder(join(dir.path, "nowhere")), { code: "EEXIST" });
  });

  it("ends with an error where Node's own never returns: under /proc", async () => {
    await assert.rejects(makeFolder("/proc/1/deliverd/data"), { code: "ENOENT" });
  });

  it("refuses a file in the place of a folder", async () => {
    await writeFile(join(dir.path, "file"), "");
    await assert.rejects(makeFolder(join(dir.path, "file")), { code: "ENOTDIR" });
    await assert.rejects(makeFolder(join(dir.path, "file", "below")), { code: "ENOTDIR" });
  });
});
