import assert from "node:assert/strict";
import { jsonSchemas } from "../../../src/config/json-schema.ts";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { HOSTS, minimal, REPOS, serverFile } from "./server-file.ts";

const PIPELINE =
  "version: 1\nartifacts:\n  - name: api\n    kind: image\n    publish: [{ to: hub, as: acme/api, tags: }]\n";

describe("A key without a value counts as left out", () => {
  const { load, problems } = serverFile();

  it("for every key of the server's file that may be left out", async () => {
    const needed = ["hosts", "repos"];
    const { properties } = JSON.parse(jsonSchemas()["server.schema.json"] ?? "{}") as { properties: object };
    const keys = Object.keys(properties).filter((key) => !needed.includes(key));
    assert.ok(keys.length > 10);
    assert.deepEqual(await load(minimal(...keys.map((key) => `${key}:`))), await load(minimal()));
  });

  it("below them, and in entries", async () => {
    const host = "hosts: { github: { type: github, webhookSecret: s3cret, apiUrl: , token: } }";
    const registry =
      "registries: { a: { type: oci, url: http://a, default: , shared: , ca: , username: , password: } }";
    const entry = "repos: [{ match: acme/*, branches: , tags: , ci: , registries: }]";
    const config = await load([host, registry, entry, "docker: { limits: { memory: }, buildTimeout: }"].join("\n"));
    assert.equal(config.hosts.github?.apiUrl, "https://api.github.com");
    assert.deepEqual([config.registries.a?.shared, config.docker.buildTimeout], [[], 3_600_000]);
  });

  it("for every key of a pipeline that may be left out", () => {
    const empty = ["on:", "ci:", "supersede:"].join("\n");
    const own = ["dockerfile:", "context:", "paths:", "platforms:", "args:"].map((key) => `    ${key}\n`).join("");
    assert.deepEqual(parsePipeline(`${empty}\n${PIPELINE}${own}`), parsePipeline(PIPELINE.replace(", tags: ", "")));
  });

  it("but not where a person chose the key, and not where a value is needed", async () => {
    assert.match((await problems(`${HOSTS}\n${REPOS}\nregistries: { hub: }`)).join(), /3: registries\.hub: empty/);
    assert.match((await problems(`${HOSTS}\nrepos:`)).join(), /repos: left out; expected the list of repos/);
  });
});
