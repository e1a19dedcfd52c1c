import assert from "node:assert/strict";
import type { NameFacts } from "../../../src/delivery/names.ts";
import type { ArtifactKind } from "../../../src/delivery/types.ts";
import { checkAs, type Shelving, versionNames } from "../../../src/delivery/version-names.ts";

const facts: NameFacts = {
  sha: "ab12cd3".padEnd(40, "0"),
  committedAt: new Date("2026-11-23T19:05:12Z"),
  owner: "acme",
  repo: "api",
  artifact: "client",
  versions: ["1.2.4-5.gab12cd3", "1.2.4"],
  tags: [],
  branches: ["main"],
};
const names = (kind: ArtifactKind, shelving: Shelving, as: string | null, says: string | null = null) =>
  versionNames(
    kind,
    shelving,
    { to: "r", as, tags: [] },
    facts,
    says === null ? null : { name: says, version: "" },
  ).map(({ registry, repository, tag, immutable }) => {
    assert.deepEqual([registry, immutable], ["r", true]);
    return `${repository} ${tag}`;
  });

describe("the registry name of a package", () => {
  it("is the one that it says, under each version as its ecosystem writes it", () => {
    assert.deepEqual(names("npm", "package", null, "@acme/client"), [
      "@acme/client 1.2.4-5.gab12cd3",
      "@acme/client 1.2.4",
    ]);
    assert.deepEqual(names("jar", "package", null, "com.acme:client"), [
      "com.acme:client 1.2.4-alpha.5.gab12cd3",
      "com.acme:client 1.2.4",
    ]);
    assert.deepEqual(names("wheel", "package", "acme-client", "Acme.Client"), [
      "acme-client 1.2.4.dev5179383507",
      "acme-client 1.2.4",
    ]);
  });

  it("is what `as` says where the package says nothing, and nothing else where it does", () => {
    assert.equal(names("jar", "package", "com.{owner}:{artifact}")[0], "com.acme:client 1.2.4-alpha.5.gab12cd3");
    assert.throws(() => names("jar", "package", null), { code: "package-name-missing" });
    assert.throws(() => names("npm", "package", "@acme/other", "@acme/client"), {
      code: "package-name-differs",
      message: /has the name @acme\/client inside, but `as` of its destination "r" says @acme\/other/,
    });
  });
});

describe("the registry name of files that are kept by path", () => {
  it("is a folder of the repo, or the one that is given, and the artifact's", () => {
    assert.deepEqual(names("file", "path", null), ["acme/api/client 1.2.4-5.gab12cd3", "acme/api/client 1.2.4"]);
    assert.deepEqual(names("npm", "path", "/tools/{repo}/", "@acme/client")[1], "tools/api/client 1.2.4");
  });
});

describe("the registry name of a machine image", () => {
  it("holds everything that makes it the only one", () => {
    assert.deepEqual(names("ami", "package", null), [
      "acme-api-client-1.2.4-5.gab12cd3 1.2.4-5.gab12cd3",
      "acme-api-client-1.2.4 1.2.4",
    ]);
  });
});

describe("the setting `as` of anything but an image", () => {
  it("holds nothing that depends on a branch or a git tag", () => {
    checkAs({ to: "r", as: "{owner}/{repo}/{artifact}/{version}/{sha}/{shortSha}/{date}", tags: [] });
    checkAs({ to: "r", as: null, tags: [] });
    assert.throws(() => checkAs({ to: "r", as: "{branch}", tags: [] }), {
      code: "bad-template",
      message: /\{branch\}/,
    });
    assert.throws(() => checkAs({ to: "r", as: "{bench}", tags: [] }), { code: "unknown-variable" });
  });
});
