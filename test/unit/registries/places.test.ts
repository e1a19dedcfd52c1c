import assert from "node:assert/strict";
import type { ArtifactKind } from "../../../src/delivery/types.ts";
import { keysOfPlace } from "../../../src/registries/index.ts";
import type { TypedSettings } from "../../../src/settings/type-list.ts";

const url = "https://r.example.com";

/** Two entries that lead to one place for artifacts of the kind, and entries that lead elsewhere. */
const PLACES: [ArtifactKind, TypedSettings, TypedSettings, Record<string, unknown>[]][] = [
  ["image", { type: "oci", url }, { type: "oci", url: "https://R.example.com:443/" }, [{ url: `${url}:5000` }]],
  ["image", { type: "docker-hub", url: null }, { type: "oci", url: "https://registry-1.docker.io" }, [{ url }]],
  [
    "image",
    { type: "ecr", region: "eu-west-1", account: "123456789012" },
    { type: "ecr", region: "eu-west-1", account: "123456789012", createRepositories: false },
    [{ region: "eu-west-2" }, { account: "123456789013" }],
  ],
  [
    "jar",
    { type: "codeartifact", region: "eu-west-1", domainOwner: "123456789012", domain: "acme", repository: "main" },
    { type: "codeartifact", region: "eu-west-1", domainOwner: "123456789012", domain: "acme", repository: "main" },
    [{ repository: "side" }, { domain: "other" }],
  ],
  ["npm", { type: "npm", url: null }, { type: "npm", url: null, token: "other" }, [{ url }]],
  ["npm", { type: "npm", url: `${url}/npm` }, { type: "npm", url: `${url}/npm/` }, [{ url: `${url}/NPM` }]],
  ["wheel", { type: "pypi", url, index: url }, { type: "pypi", url, index: `${url}/simple` }, [{ url: `${url}/a` }]],
  ["jar", { type: "maven", url }, { type: "maven", url }, [{ url: "http://r.example.com" }, { type: "http" }]],
  ["file", { type: "http", url }, { type: "http", url }, [{ url: `${url}/a` }]],
  ["ami", { type: "ami", region: "eu-west-1" }, { type: "ami", region: "eu-west-1" }, [{ region: "eu-west-2" }]],
  [
    "npm",
    { type: "artifactory", url, repositories: { docker: "a", npm: "n" } },
    { type: "artifactory", url, repositories: { docker: "b", npm: "n" } },
    [{ repositories: { docker: "a", npm: "m" } }, { url: `${url}/artifactory` }],
  ],
];

describe("The place that a key under registries leads to", () => {
  for (const [kind, one, same, elsewhere] of PLACES) {
    it(`is told from the settings of ${one.type} for kind ${kind}, however they are written`, async () => {
      const configs = {
        one,
        same,
        ...Object.fromEntries(elsewhere.map((more, index) => [index, { ...one, ...more }])),
      };
      assert.deepEqual((await keysOfPlace(configs, "one", kind)).sort(), ["one", "same"]);
      assert.deepEqual((await keysOfPlace(configs, "same", kind)).sort(), ["one", "same"]);
    });
  }

  it("is for each kind one of its own in Artifactory, and that of its key alone where no such key is configured", async () => {
    const one = { type: "artifactory", url, repositories: { docker: "a", npm: "n" } };
    const configs = { one, other: { ...one, repositories: { docker: "b", npm: "n" } } };
    assert.deepEqual(await keysOfPlace(configs, "one", "image"), ["one"]);
    assert.deepEqual(await keysOfPlace(configs, "gone", "image"), ["gone"]);
  });
});
