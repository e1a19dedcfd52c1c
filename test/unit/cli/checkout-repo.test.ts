import assert from "node:assert/strict";
import { readRemote, repoOf } from "../../../src/cli/checkout-repo.ts";
import type { Checkout } from "../../../src/git/checkout.ts";

describe("the URL of a checkout's remote", () => {
  for (const [url, host, repo] of [
    ["https://github.com/acme/api.git", "github.com", "acme/api"],
    ["https://user:secret@git.example.com:8443/acme/api/", "git.example.com:8443", "acme/api"],
    ["git@github.com:acme/api.git", "github.com", "acme/api"],
    ["github.com:acme/api", "github.com", "acme/api"],
    ["ssh://git@git.example.com:2222/acme/api.git", "git.example.com:2222", "acme/api"],
    ["git@gitlab.com:group/sub/api.git", "gitlab.com", "group/sub/api"],
    ["https://gitlab.com/group/sub/api", "gitlab.com", "group/sub/api"],
    ["/srv/git/acme/api.git", null, "acme/api"],
    ["file:///srv/git/acme/api.git", null, "acme/api"],
  ] as const) {
    it(`names host and repo as in ${url}`, () => {
      const { host: its, owner, name } = readRemote(url) ?? assert.fail();
      assert.deepEqual([its, `${owner}/${name}`], [host, repo]);
    });
  }

  it("names the repo without the path under which its host has all repos", () => {
    const hosts = { lab: { cloneUrl: "https://example.com/gitlab" }, github: { cloneUrl: "https://github.com" } };
    assert.equal(named("https://example.com/gitlab/group/sub/api.git", undefined, hosts), "lab/group/sub/api");
    assert.equal(named("git@example.com:group/sub/api.git", undefined, hosts), "lab/group/sub/api");
    assert.equal(named("git@example.com:x/y.git", "lab/group/sub/api", hosts), "lab/group/sub/api");
    assert.equal(named("git@example.com:x/y.git", "acme/api", hosts), "github/acme/api");
    assert.equal(named("git@example.com:x/y.git", "lab/acme/api", {}), "lab/acme/api");
  });

  it("may name no repo", () => {
    assert.equal(readRemote("https://github.com/"), null);
    assert.equal(readRemote("api.git"), null);
  });
});

function named(url: string, option: string | undefined, hosts: Parameters<typeof repoOf>[2]): string {
  const checkout = { remote: { url, defaultBranch: "main" } } as Checkout;
  const { host, owner, name } = repoOf({ checkout, root: "/x" }, option, hosts);
  return `${host}/${owner}/${name}`;
}
