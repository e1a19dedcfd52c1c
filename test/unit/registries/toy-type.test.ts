import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadServerConfig, secretsOf } from "../../../src/config/server.ts";
import { builtInTypes } from "../../../src/config/server-schema.ts";
import { Refused } from "../../../src/delivery/errors.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { openRegistries, shelvingOf } from "../../../src/registries/index.ts";
import type { StampedContent } from "../../../src/registries/registry.ts";
import { type RegistrySettings, type RegistryType, registryType } from "../../../src/registries/registry-type.ts";
import { secret, text } from "../../../src/settings/scalars.ts";
import { typeList } from "../../../src/settings/type-list.ts";
import { Store } from "../../../src/store/store.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir } from "../../support/processes/process.ts";

/** A whole type of registry: it remembers what was published, until the process ends. */
const toy = registryType({
  type: "toy",
  settings: { shelf: text, apiKey: secret },
  secrets: ["apiKey"],
  kinds: () => ["file"],
  place: ({ shelf }) => `toy ${shelf}`,
  async open(key, { shelf }) {
    const names = new Map<string, StampedContent>();
    return {
      check: async () => {},
      find: async ({ repository, tag }) => names.get(`${repository}:${tag}`) ?? null,
      async publish(content, { repository, tag, immutable }) {
        const name = `${repository}:${tag}`;
        const standing = names.get(name);
        if (immutable && standing !== undefined && standing.digest !== content.digest)
          throw new Refused("name-taken", `${name} stands on the shelf ${shelf} with other content.`);
        names.set(name, content);
        return { registry: key, repository, tag, digest: content.digest, url: `toy:${shelf}/${name}`, pull: "" };
      },
      restore: async () => false,
      pull: async () => {
        throw new Refused("content-gone", `the shelf ${shelf} keeps no bytes`);
      },
    };
  },
});

const registries = typeList<RegistrySettings, RegistryType>([...builtInTypes.registries.all, toy]);
const types = { ...builtInTypes, registries };

describe("A type of registry that is declared and listed", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  before(async () => {
    dir = await tempDir();
  });
  after(() => dir.remove());

  async function load(entry: string) {
    const path = join(dir.path, "deliverd.yml");
    const host = "hosts: { github: { type: github, webhookSecret: s3cret } }";
    await writeFile(path, `${host}\nrepos: [acme/*]\nregistries: { mine: ${entry} }\n`);
    return loadServerConfig({ path, env: {}, types });
  }

  it("is read from the server's file with the keys that every type has", async () => {
    const config = await load("{ type: toy, shelf: top, apiKey: open-sesame, shared: [tools/*] }");
    const settings = {
      type: "toy",
      shelf: "top",
      apiKey: "open-sesame",
      default: false,
      shared: ["tools/*"],
      publicUrl: null,
      proof: "referrers",
    };
    assert.deepEqual(config.registries, { mine: settings });
    assert.deepEqual(registries.of(settings).kinds(settings), ["file"]);
    assert.equal(await registries.of(settings).place(settings, "file"), "toy top");
    assert.equal(shelvingOf(settings, "file", registries), "path");
  });

  it("is named in messages, which never show its secrets", async () => {
    await assert.rejects(load("{ type: toys }"), /one of docker-hub, .*, ami, toy \(did you mean "toy"\?\)/);
    await assert.rejects(load("{ type: toy, shelf: [], apiKey: 123456 }"), (error: Error) => {
      assert.match(error.message, /registries\.mine\.shelf: found an empty list; expected a text/);
      assert.match(error.message, /registries\.mine\.apiKey: found a number; expected a secret text/);
      return !error.message.includes("123456");
    });
    const config = await load("{ type: toy, shelf: top, apiKey: open-sesame }");
    assert.equal(createMask(secretsOf(config, types))("with open-sesame"), "with [secret]");
  });

  it("publishes and finds", async () => {
    const config = await load("{ type: toy, shelf: top, apiKey: open-sesame }");
    const opened = await openRegistries(config.registries, { store: new Store(dir.path) }, registries);
    const registry = opened.get("mine");
    assert.ok(registry);
    const content: StampedContent = { digest: "sha256:a", mediaType: "", size: 1, kind: "file", metadata: {} };
    const name = { registry: "mine", repository: "tools/cli", tag: "1.0.0", immutable: true };
    assert.equal(await registry.find(name, testRun(), content), null);
    assert.equal((await registry.publish(content, name, testRun())).url, "toy:top/tools/cli:1.0.0");
    assert.equal((await registry.find(name, testRun(), content))?.digest, "sha256:a");
    await assert.rejects(registry.publish({ ...content, digest: "sha256:b" }, name, testRun()), { code: "name-taken" });
  });
});
