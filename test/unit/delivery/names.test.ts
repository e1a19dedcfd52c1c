import assert from "node:assert/strict";
import fc from "fast-check";
import { immutableNames, movingNames, type NameFacts } from "../../../src/delivery/names.ts";
import type { Destination } from "../../../src/delivery/types.ts";

const facts = (given: Partial<NameFacts> = {}): NameFacts => ({
  sha: "ab12cd3".padEnd(40, "0"),
  committedAt: new Date("2026-01-02T23:30:00-05:00"),
  owner: "acme",
  repo: "api",
  artifact: "server",
  versions: ["1.2.3"],
  tags: ["v1.2.3"],
  branches: ["main"],
  ...given,
});
const to = (tags: string[], as: string | null = "acme/api"): Destination => ({ to: "hub", as, tags });
const fixed = (tags: string[], given: Partial<NameFacts> = {}) =>
  immutableNames(to(tags), facts(given)).map(({ tag }) => tag);
const moving = (tags: string[], given: Partial<NameFacts> = {}) =>
  movingNames(to(tags), facts(given)).map(({ tag, follows }) => ({ tag, follows }));

describe("the names of an artifact", () => {
  it("are fixed where the template holds version, sha, shortSha or tag, else moving", () => {
    const tags = ["{version}", "{branch}", "sha-{shortSha}", "{sha}", "{tag}", "latest", "{major}.{minor}", "{date}"];
    assert.deepEqual(fixed(tags), ["1.2.3", "sha-ab12cd3", "ab12cd3".padEnd(40, "0"), "v1.2.3"]);
    assert.deepEqual(
      moving(tags)
        .map(({ tag }) => tag)
        .sort(),
      ["1.2", "2026-01-03", "latest", "main"],
    );
  });

  it("carry registry, repository and kind", () => {
    assert.deepEqual(immutableNames(to(["{version}"], "{owner}/{repo}/{artifact}"), facts()), [
      { registry: "hub", repository: "acme/api/server", tag: "1.2.3", immutable: true },
    ]);
  });

  it("come in all combinations, each once", () => {
    const given = { versions: ["2.0.0", "1.2.3"], tags: ["v2.0.0", "v1.2.3", "stable"], branches: ["main", "next"] };
    assert.deepEqual(fixed(["{version}", "{tag}", "{branch}-{shortSha}", "{version}"], given), [
      "2.0.0",
      "1.2.3",
      "v2.0.0",
      "v1.2.3",
      "stable",
      "main-ab12cd3",
      "next-ab12cd3",
    ]);
  });

  it("skip a template whose variable has no value", () => {
    assert.deepEqual(fixed(["{tag}", "{branch}-{sha}", "{version}"], { tags: [], branches: [] }), ["1.2.3"]);
    assert.deepEqual(moving(["{branch}"], { branches: [] }), []);
  });

  it("follow their branch, the highest version tag or the newest delivery", () => {
    assert.deepEqual(moving(["{branch}", "latest", "{major}", "edge"], { branches: ["main", "feature/x"] }), [
      { tag: "latest", follows: { version: true } },
      { tag: "1", follows: { version: true } },
      { tag: "edge", follows: { any: true } },
      { tag: "main", follows: { branch: "main" } },
      { tag: "feature-x", follows: { branch: "feature/x" } },
    ]);
  });

  it("belong to the version where a branch is called like one", () => {
    assert.deepEqual(moving(["{branch}", "{major}.{minor}"], { branches: ["1.2"] }), [
      { tag: "1.2", follows: { version: true } },
    ]);
  });

  it("are valid OCI tags whatever branches and git tags are called", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }), (text) => {
        for (const template of ["{tag}", "{branch}-{sha}", "-{tag}", ".{shortSha}"]) {
          for (const tag of fixed([template], { tags: [text], branches: [text] })) {
            assert.match(tag, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
          }
        }
      }),
    );
  });

  const inRepository = (as: string, given: Partial<NameFacts>) =>
    immutableNames(to(["{version}"], as), facts(given)).map(({ repository }) => repository);

  for (const [branch, repository] of [
    ["feature-#6-skillquiz", "acme/feature--6-skillquiz"],
    ["initial-home=page-tweaks", "acme/initial-home-page-tweaks"],
    ["dependabot/npm_and_yarn/@scope/pkg-1.2.3", "acme/dependabot/npm_and_yarn/scope/pkg-1.2.3"],
    ["Feature/UP", "acme/feature/up"],
    ["a--b/c__d/e.f", "acme/a--b/c__d/e.f"],
    ["a___b/c._d", "acme/a-b/c-d"],
    ["-a/.b/c-", "acme/a/b/c"],
    ["feat/\u{1F4E6}", "acme/feat"],
  ] as const) {
    it(`have a repository that registries take where its branch is ${branch}`, () => {
      assert.deepEqual(inRepository("acme/{branch}", { branches: [branch] }), [repository]);
    });
  }

  it("have such a repository or none, whatever branches and git tags are called", () => {
    const grammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
    const character = fc.constantFrom(...("aZ9._-/#@+= é\u{1F4E6}".match(/./gu) ?? []));
    const ref = fc.oneof(
      fc.string({ unit: character, minLength: 1, maxLength: 250 }),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 250 }),
    );
    fc.assert(
      fc.property(ref, (text) => {
        for (const as of ["acme/{branch}", "{tag}/api", "acme/api-{branch}"]) {
          const given = inRepository(as, { tags: [text], branches: [text] });
          for (const repository of given) assert.match(repository, grammar);
          if (/[a-z0-9]/i.test(text.slice(0, 128))) assert.equal(given.length, 1);
        }
      }),
    );
  });

  it("are cut at 128 characters", () => {
    assert.deepEqual(fixed(["{tag}"], { tags: ["t".repeat(129)] }), ["t".repeat(128)]);
  });

  it("begin with _ where a tag may not begin with . or -", () => {
    assert.deepEqual(fixed(["-{shortSha}", ".{shortSha}"]), ["_ab12cd3"]);
  });
});

describe("a template that cannot be used", () => {
  it("names its unknown variable, the nearest known and all others", () => {
    assert.throws(() => fixed(["{verison}"]), {
      code: "unknown-variable",
      message:
        /"\{verison\}" holds \{verison\}, which is not a variable \(did you mean "version"\?\)\. Known are \{version\} \{major\}/,
    });
  });

  it("may have lost a brace", () => {
    assert.throws(() => fixed(["{version"]), { code: "bad-template" });
  });

  it("does not reach the prototype of things", () => {
    assert.throws(() => fixed(["{constructor}"]), { code: "unknown-variable" });
  });

  it("names the repository in upper case, which is told with the remedy", () => {
    assert.throws(() => immutableNames(to(["{version}"], "{owner}/{repo}"), facts({ owner: "Acme" })), {
      code: "bad-repository-name",
      message: /"\{owner\}\/\{repo\}" gives the name "Acme\/api".*as in "acme\/api"/,
    });
  });

  for (const as of [
    "acme//api",
    "/api",
    "api/",
    "acme/-api",
    "a___b",
    "https://x/y",
    "acme/api:1",
    "ä",
    "a".repeat(201),
  ]) {
    it(`gives no repository: ${as.slice(0, 20)}`, () => {
      assert.throws(() => immutableNames(to(["{version}"], as), facts()), { code: "bad-repository-name" });
    });
  }

  it("is missing for an image", () => {
    assert.throws(() => immutableNames(to(["{version}"], null), facts()), { code: "as-missing" });
  });
});
