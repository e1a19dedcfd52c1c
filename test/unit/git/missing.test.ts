import assert from "node:assert/strict";
import { runGit } from "../../../src/git/git.ts";

describe("A machine without git", () => {
  const { PATH } = process.env;
  before(() => {
    process.env.PATH = "/nonexistent";
  });
  after(() => {
    process.env.PATH = PATH;
  });

  it("is told to install it (git-missing)", async () => {
    const version = runGit(["version"], { signals: [], timeLimit: 10_000 });
    await assert.rejects(version, { name: "ConfigError", code: "git-missing", message: /install git/ });
  });
});
