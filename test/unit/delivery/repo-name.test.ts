import assert from "node:assert/strict";
import fc from "fast-check";
import { matchRepo } from "../../../src/delivery/bounds.ts";
import {
  fullRepoName,
  hostOfPattern,
  parseRepoPath,
  questionOfPattern,
  readRepoName,
  repoUrl,
} from "../../../src/delivery/repo-name.ts";
import type { RepoBounds } from "../../../src/delivery/types.ts";

const HOSTS = ["github", "gitlab", "forge"];
const segment = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}$/);
const owner = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const repo = fc.record({ host: fc.constantFrom(...HOSTS), owner, name: segment }, { noNullPrototype: true });

describe("the name of a repo", () => {
  it("is read as it is written, however deep its owner nests", () => {
    fc.assert(
      fc.property(repo, (one) => {
        const [first] = readRepoName(fullRepoName(one), HOSTS);
        assert.deepEqual(first, one);
      }),
    );
  });

  it("has its owner before the last slash, and puts itself together again", () => {
    fc.assert(
      fc.property(repo, ({ owner, name }) => {
        assert.deepEqual(parseRepoPath(`${owner}/${name}`), { owner, name });
      }),
    );
  });

  it("means any host where it names none, and both where the owner begins with a host's key", () => {
    assert.deepEqual(readRepoName("acme/api", HOSTS), [{ host: null, owner: "acme", name: "api" }]);
    assert.deepEqual(readRepoName("gitlab/acme/api", HOSTS), [
      { host: "gitlab", owner: "acme", name: "api" },
      { host: null, owner: "gitlab/acme", name: "api" },
    ]);
    // Two segments are an owner and a name: the owner may be called like a host.
    assert.deepEqual(readRepoName("gitlab/api", HOSTS), [{ host: null, owner: "gitlab", name: "api" }]);
  });

  it("is none without an owner, with an empty segment, or with one that a path or URL reads otherwise", () => {
    const wrong = ["", "api", "/api", "acme/", "acme//api", "acme/../api", "./api", "a b/c", "acme/a?b", "acme/a#b"];
    for (const text of [...wrong, "acme/%2e%2e", "acme/a\0", "ac\\me/api", `${"x/".repeat(40)}y`])
      assert.deepEqual(readRepoName(text, HOSTS), [], JSON.stringify(text));
  });
});

describe("a pattern under `repos`", () => {
  const entry = (match: string): RepoBounds => {
    const host = hostOfPattern(match, HOSTS);
    const unbounded = { branches: null, tags: null, ci: null, registries: null, secrets: {} };
    return { match, ...unbounded, ...(host === null ? {} : { host }) };
  };
  const lets = (match: string, host: string, path: string) => {
    const found = parseRepoPath(path);
    assert.ok(found);
    return matchRepo([entry(match)], { host, ...found }) !== null;
  };

  it("matches one segment by `*` and any number by `**`", () => {
    assert.equal(lets("acme/*", "gitlab", "acme/api"), true);
    assert.equal(lets("acme/*", "gitlab", "acme/sub/api"), false);
    assert.equal(lets("acme/*/*", "gitlab", "acme/sub/api"), true);
    for (const path of ["acme/api", "acme/sub/api", "acme/a/b/c/api"]) {
      assert.equal(lets("acme/**", "gitlab", path), true, path);
      assert.equal(lets("acme/**/api", "gitlab", path), true, path);
    }
    assert.equal(lets("acme/**", "gitlab", "acmes/api"), false);
    assert.equal(lets("gitlab/**", "gitlab", "any/group/api"), true);
    assert.equal(lets("gitlab/**", "github", "any/api"), false);
  });

  it("that names a host lets in no other host's owner of the same words", () => {
    assert.equal(lets("github/acme/*", "github", "acme/api"), true);
    assert.equal(lets("github/acme/*", "gitlab", "github/acme/api"), false);
    assert.equal(lets("github/acme/api", "gitlab", "github/acme/api"), false);
    assert.equal(lets("*/acme/*", "gitlab", "acme/api"), true);
    assert.equal(lets("*/acme/*", "gitlab", "evil/acme/api"), false);
  });

  it("always lets in the repo that it spells out, on its own host and on no other", () => {
    fc.assert(
      fc.property(repo, fc.constantFrom(...HOSTS), (one, other) => {
        const path = `${one.owner}/${one.name}`;
        assert.equal(lets(fullRepoName(one), one.host, path), true);
        if (other !== one.host) assert.equal(lets(fullRepoName(one), other, path), false);
      }),
    );
  });

  it("asks a host for one repo, for the repos of the owner before the first wildcard, or for nothing", () => {
    const question = (match: string, key: string) => questionOfPattern(entry(match), key);
    assert.deepEqual(question("acme/sub/api", "gitlab"), { kind: "repo", owner: "acme/sub", name: "api" });
    assert.deepEqual(question("gitlab/acme/sub/*", "gitlab"), { kind: "owner", owner: "acme/sub" });
    assert.deepEqual(question("acme/**", "gitlab"), { kind: "owner", owner: "acme" });
    assert.deepEqual(question("acme/*/api", "gitlab"), { kind: "owner", owner: "acme" });
    assert.deepEqual(question("gitlab/acme/**", "github"), { kind: "elsewhere" });
    assert.deepEqual(question("*/acme/api", "github"), { kind: "repo", owner: "acme", name: "api" });
    for (const match of ["*/*", "*/api", "gitlab/**", "**/api"])
      assert.deepEqual(question(match, "gitlab"), { kind: "unlisted" }, match);
  });
});

describe("the URL of a repo", () => {
  it("encodes each segment and keeps the slashes of an owner", () => {
    assert.equal(
      repoUrl("https://git.example.com/", { owner: "group/sub", name: "a b" }, ".git"),
      "https://git.example.com/group/sub/a%20b.git",
    );
  });

  it("fills in the placeholders where there are some", () => {
    const template = "https://git.example.com/scm/{owner}/{name}.git";
    assert.equal(repoUrl(template, { owner: "a/b", name: "$&" }, ".git"), "https://git.example.com/scm/a/b/%24%26.git");
  });
});
