import assert from "node:assert/strict";
import { readRemote, repoOf } from "../../../src/cli/checkout-repo.ts";

describe("the URL of a checkout's remote", () => {
  for (const [url, host, repo] of [
    ["https://github.com/acme/api.git", "github.com", "acme/api"],
    ["https://user:secret@git.example.com:8443/acme/api/", "git.example.com:8443", "acme/api"],
    ["git@github.com:acme/api.git", "github.com", "acme/api"],
    ["github.com:acme/api", "github.com", "acme/api"],
    ["ssh://git@git.example.com:2222/acme/api.git", "git.example.com:2222", "acme/api"],
    ["git@gitlab.com:acme/platform/api.git", "gitlab.com", "acme/platform/api"],
    ["https://gitlab.com/acme/platform/team/api", "gitlab.com", "acme/platform/team/api"],
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

describe("The repo of a checkout", () => {
  const hosts = {
    github: { cloneUrl: "https://github.com" },
    lab: { cloneUrl: "https://example.com/gitlab" },
    any: { cloneUrl: "https://git.example.com/scm/{owner}/{name}.git" },
  };
  const tree = (url: string | null) =>
    ({
      root: "/srv/tree",
      checkout: url === null ? null : { branch: "main", remote: { url, defaultBranch: "main" } },
    }) as unknown as Parameters<typeof repoOf>[0];
  const shown = (url: string | null, named: string | undefined, its: typeof hosts | Record<string, never> = hosts) => {
    const { host, owner, name } = repoOf(tree(url), named, its);
    return `${host}: ${owner}/${name}`;
  };

  it("is in a group within a group where its remote or its given name says so", () => {
    assert.equal(shown("git@example.com:acme/platform/api.git", undefined), "lab: acme/platform/api");
    assert.equal(shown("https://example.com/gitlab/acme/platform/api.git", undefined), "lab: acme/platform/api");
    assert.equal(shown(null, "lab/acme/platform/api"), "lab: acme/platform/api");
    assert.equal(shown("https://git.example.com/scm/acme/api.git", undefined), "any: acme/api");
  });

  it("may be named with its host, also without a configuration", () => {
    assert.equal(shown(null, "acme/api"), "github: acme/api");
    assert.equal(shown(null, "github/acme/api"), "github: acme/api");
    assert.equal(shown(null, "other/acme/api", {}), "other: acme/api");
    assert.throws(() => shown(null, "api"), /does not have the form/);
    assert.throws(() => shown(null, "acme//api"), /does not have the form/);
  });
});
