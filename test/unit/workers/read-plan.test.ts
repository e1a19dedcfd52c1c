import assert from "node:assert/strict";
import type { RegistrySettings } from "../../../src/registries/registry-type.ts";
import { readPlan } from "../../../workers/commit/read-plan.ts";

const repo = { id: "github:1", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
const bounds = { match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} };
const registry = (settings: { type: string; url: string }): RegistrySettings => ({
  ...settings,
  default: false,
  shared: [],
  publicUrl: null,
});

/** What comes of a pipeline with two artifacts of this kind, one to the key `one`, the other to the key `two`. */
function read(kind: string, publish: string, registries: Record<string, RegistrySettings>) {
  const build = kind === "image" ? "" : "build: { image: node, run: [make] }, files: out, ";
  const artifact = (name: string, to: string) =>
    `  - { name: ${name}, kind: ${kind}, ${build}publish: [{ to: ${to}, ${publish} }] }\n`;
  const text = `version: 1\nartifacts:\n${artifact("front", "one")}${artifact("back", "two")}`;
  const mirror = { readFile: async (_sha: string, path: string) => (path === ".deliverd.yml" ? text : null) };
  return readPlan({ registries } as Parameters<typeof readPlan>[0], repo, mirror, "a".repeat(40), bounds);
}

describe("A pipeline whose artifacts use one name in two registries", () => {
  const one = registry({ type: "oci", url: "https://r.example.com" });

  it("is refused if both keys lead to one place", async () => {
    const two = registry({ type: "oci", url: "https://R.example.com:443/" });
    const planned = await read("image", "as: acme/api, tags: [latest]", { one, two });
    assert.ok(planned.kind === "bad");
    assert.equal(planned.error.code, "name-shared");
    assert.match(planned.error.message, /to "one" and "two", which are one place/);
  });

  it("is allowed if the keys lead to two places, or if each artifact has its own path there", async () => {
    const elsewhere = registry({ type: "oci", url: "https://other.example.com" });
    assert.equal((await read("image", "as: acme/api, tags: [latest]", { one, two: elsewhere })).kind, "plan");
    const store = registry({ type: "http", url: "https://files.example.com" });
    assert.equal((await read("npm", "as: acme/api", { one: store, two: store })).kind, "plan");
  });
});
