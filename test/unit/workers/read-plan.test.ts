import assert from "node:assert/strict";
import type { RepoBounds } from "../../../src/delivery/types.ts";
import type { RegistrySettings } from "../../../src/registries/registry-type.ts";
import { readPlan } from "../../../workers/commit/read-plan.ts";

const repo = { id: "github:1", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
const bounds = { match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} };
const registry = (settings: { type: string; url: string }): RegistrySettings => ({
  ...settings,
  default: false,
  shared: [],
  proof: "referrers",
  publicUrl: null,
});

/** What comes of a pipeline with two artifacts of this kind, one to the key `one`, the other to the key `two`. */
function readTwo(kind: string, publish: string, registries: Record<string, RegistrySettings>) {
  const build = kind === "image" ? "" : "build: { image: node, run: [make] }, files: out, ";
  const artifact = (name: string, to: string) =>
    `  - { name: ${name}, kind: ${kind}, ${build}publish: [{ to: ${to}, ${publish} }] }\n`;
  const text = `version: 1\nartifacts:\n${artifact("front", "one")}${artifact("back", "two")}`;
  return read(text, registries);
}

/** What comes of a pipeline file, or of a tree without one but with a Dockerfile. */
function read(text: string | null, registries: Record<string, RegistrySettings>, within: Partial<RepoBounds> = {}) {
  const files = { ".deliverd.yml": text, Dockerfile: "FROM scratch" };
  const mirror = { readFile: async (_sha: string, path: string) => Reflect.get(files, path) ?? null };
  const config = { registries } as Parameters<typeof readPlan>[0];
  return readPlan(config, repo, mirror, "a".repeat(40), { ...bounds, ...within });
}

describe("A pipeline whose artifacts use one name in two registries", () => {
  const one = registry({ type: "oci", url: "https://r.example.com" });

  it("is refused if both keys lead to one place", async () => {
    const two = registry({ type: "oci", url: "https://R.example.com:443/" });
    const planned = await readTwo("image", "as: acme/api, tags: [latest]", { one, two });
    assert.ok(planned.kind === "bad");
    assert.equal(planned.error.code, "name-shared");
    assert.match(planned.error.message, /to "one" and "two", which are one place/);
  });

  it("is allowed if the keys lead to two places, or if each artifact has its own path there", async () => {
    const elsewhere = registry({ type: "oci", url: "https://other.example.com" });
    assert.equal((await readTwo("image", "as: acme/api, tags: [latest]", { one, two: elsewhere })).kind, "plan");
    const store = registry({ type: "http", url: "https://files.example.com" });
    assert.equal((await readTwo("npm", "as: acme/api", { one: store, two: store })).kind, "plan");
  });
});

describe("A pipeline file with several problems", () => {
  const local = registry({ type: "oci", url: "https://r.example.com" });
  const ecr = registry({ type: "oci", url: "https://ecr.example.com" });

  it("is refused with all of them in its order, each with file, line and key", async () => {
    const found = await read(
      `version: 1
superseed: true
artifacts:
  - name: api
    kind: image
    dockerfil: x
    publish:
      - { to: lcoal, as: acme/api, tags: ["{verison}", "{version}"] }
      - { to: local, as: acme/API }
  - name: web
    kind: image
    publish:
      - { to: local, as: acme/web, tags: [latest, "a{b"] }
`,
      { local, ecr },
    );
    assert.ok(found.kind === "bad");
    assert.deepEqual(
      found.error.message.split("\n").map((line) => line.replace(/(: [^:]*: .{16}).*$/, "$1")),
      [
        '.deliverd.yml:2: superseed: "superseed" is n',
        '.deliverd.yml:6: artifacts[0].dockerfil: "dockerfil" is n',
        '.deliverd.yml:8: artifacts[0].publish[0].to: artifact "api" g',
        '.deliverd.yml:8: artifacts[0].publish[0].tags[0]: the template "{v',
        '.deliverd.yml:9: artifacts[0].publish[1].as: the template "ac',
        '.deliverd.yml:13: artifacts[1].publish[0].tags[1]: the template "a{',
      ],
    );
    assert.equal(found.error.code, "bad-pipeline");
    assert.deepEqual(
      found.problems.map(({ line }) => line),
      [2, 6, 8, 8, 9, 13],
    );
  });

  it("has the code of the first one, and is Refused where the server's rules are first", async () => {
    const text = `version: 1
artifacts:
  - { name: a, kind: image, publish: [{ to: ecr, as: acme/a }] }
  - { name: b, kind: image, publish: [{ to: lcoal, as: acme/b }] }
`;
    const found = await read(text, { local, ecr }, { registries: ["local"] });
    assert.ok(found.kind === "bad");
    assert.deepEqual([found.error.name, found.error.code], ["Refused", "registry-not-allowed"]);
    assert.match(found.error.message, /^\.deliverd\.yml:3: .*\n\.deliverd\.yml:4: .*did you mean "local"/);
  });

  it("tells one mistake in two artifacts' `as` once, though each has several tags", async () => {
    const text = `version: 1
artifacts:
  - { name: a, kind: image, publish: [{ to: local, as: acme/a }] }
  - { name: b, kind: image, publish: [{ to: local, as: acme/a }] }
`;
    const found = await read(text, { local });
    assert.ok(found.kind === "bad");
    assert.deepEqual(
      found.problems.map(({ line, key }) => [line, key]),
      [[4, "artifacts[1].publish[0].tags[0]"]],
    );
  });

  it("names no line where there is no file", async () => {
    const found = await read(null, { local, ecr });
    assert.ok(found.kind === "bad");
    assert.deepEqual(found.problems, [{ line: null, key: "", text: found.error.message }]);
    assert.match(found.error.message, /^there is no \.deliverd\.yml/);
  });
});

describe("The name of an artifact in a registry", () => {
  const hub = { ...registry({ type: "docker-hub", url: "" }), url: null, username: "acme", password: "secret" };
  const maven = registry({ type: "maven", url: "https://maven.example.com" });
  const npm = { ...registry({ type: "npm", url: "https://npm.example.com" }), token: "secret" };
  const made = (kind: string, to: string, as: string) =>
    `version: 1
artifacts:
  - { name: a, kind: ${kind}, build: { image: x, run: [y] }, files: z, publish: [{ to: ${to}, as: ${JSON.stringify(as)} }] }
`;
  const image = (as: string) =>
    `version: 1\nartifacts:\n  - { name: a, kind: image, publish: [{ to: hub, as: ${as} }] }\n`;

  for (const [title, text] of [
    ["one without a namespace on Docker Hub", image("api")],
    ["one with folders on Docker Hub", image("acme/team/api")],
    ["a jar's without a group", made("jar", "maven", "library")],
    ["an npm package's in upper case", made("npm", "npm", "@acme/API")],
  ] as const) {
    it(`is refused before the build where the registry would refuse it: ${title}`, async () => {
      const found = await read(text, { hub, maven, npm });
      assert.ok(found.kind === "bad", text);
      assert.deepEqual([found.error.name, found.error.code], ["Refused", "name-invalid"]);
      assert.match(found.error.message, /^\.deliverd\.yml:3: artifacts\[0\]\.publish\[0\]\.as: /);
    });
  }

  for (const [title, text] of [
    ["namespace and name on Docker Hub", image("acme/api")],
    ["group and artifact", made("jar", "maven", "org.acme:{artifact}")],
    ["a scoped npm package", made("npm", "npm", "@acme/api")],
  ] as const) {
    it(`is taken: ${title}`, async () => {
      assert.equal((await read(text, { hub, maven, npm })).kind, "plan");
    });
  }
});
