import assert from "node:assert/strict";
import { readRemote } from "../../../src/cli/checkout-repo.ts";

describe("the URL of a checkout's remote", () => {
  for (const [url, host, repo] of [
    ["https://github.com/acme/api.git", "github.com", "acme/api"],
    ["https://user:secret@git.example.com:8443/acme/api/", "git.example.com:8443", "acme/api"],
    ["git@github.com:acme/api.git", "github.com", "acme/api"],
    ["github.com:acme/api", "github.com", "acme/api"],
    ["ssh://git@git.example.com:2222/acme/api.git", "git.example.com:2222", "acme/api"],
    ["/srv/git/acme/api.git", null, "acme/api"],
    ["file:///srv/git/acme/api.git", null, "acme/api"],
  ] as const) {
    it(`names host and repo as in ${url}`, () => {
      const { host: its, owner, name } = readRemote(url) ?? assert.fail();
      assert.deepEqual([its, `${owner}/${name}`], [host, repo]);
    });
  }

  it("may name no repo", () => {
    assert.equal(readRemote("https://github.com/"), null);
    assert.equal(readRemote("api.git"), null);
  });
});
