import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { npmRegistry } from "../../../src/registries/npm/index.ts";
import { NpmShelf } from "../../../src/registries/protocols/npm/shelf.ts";
import { Store } from "../../../src/store/store.ts";
import { startVerdaccio } from "../../support/file-servers/verdaccio.ts";
import { freeze, npmPackage } from "../../support/packages.ts";
import { tempDir } from "../../support/process.ts";
import { testRun } from "../../support/run.ts";
import { itKeepsFiles, type Place } from "./contract.ts";

const run = promisify(execFile);

type Verdaccio = Awaited<ReturnType<typeof startVerdaccio>>;

/** npm itself, with no settings but these. */
async function npm(directory: string, registry: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: directory, npm_config_update_notifier: "false" };
  const { stdout } = await run("npm", [...args, `--registry=${registry}`, "--json"], { cwd: directory, env });
  return stdout;
}

function placeOf(server: Verdaccio, name: string): Place {
  return {
    kind: "npm",
    origin: server.url,
    config: (origin, secret = server.token) => ({ type: "npm", url: origin, token: secret }),
    shelf: (origin, authorize) => new NpmShelf({ label: "npm", url: new URL(origin), authorize }),
    authorization: `Bearer ${server.token}`,
    secrets: [server.token],
    name: (version) => ({ repository: name, tag: version }),
    files: async (version, salt) => ({ "package.tgz": await npmPackage(name, version, salt) }),
    sends: ({ method, url }) => method === "PUT" && !url.startsWith("/-/"),
    async readBack({ name: location }, [file = ""]) {
      const dir = await tempDir();
      try {
        const spec = location.replace(/:([^:]*)$/, "@$1");
        const [packed] = Object.values(JSON.parse(await npm(dir.path, server.url, "pack", spec)));
        return { [file]: await readFile(join(dir.path, (packed as { filename: string }).filename)) };
      } finally {
        await dir.remove();
      }
    },
    guards: true,
    holds: server.holds,
    stop: async () => {},
  };
}

describe("an npm registry (verdaccio)", () => {
  let server: Verdaccio;
  let dir: { path: string; remove(): Promise<void> };

  before(async function () {
    this.timeout(60_000);
    server = await startVerdaccio();
    dir = await tempDir();
  });
  after(async () => {
    await server?.stop();
    await dir?.remove();
  });

  itKeepsFiles("with a scoped package", async () => placeOf(server, "@acme/hello"));

  const publish = async (name: string, version: string) => {
    const store = new Store(join(dir.path, "store"));
    const content = await freeze(store, { "p.tgz": await npmPackage(name, version) }, "npm");
    const registry = await npmRegistry("npm", { url: server.url, token: server.token }, { store });
    await registry.publish(content, { registry: "npm", repository: name, tag: version, immutable: true }, testRun());
  };

  it("shows the highest release as latest, whatever came last, and untagged builds apart", async function () {
    this.timeout(60_000);
    for (const version of ["1.2.4-5.gab12cd3", "1.2.4", "2.0.0", "1.2.5", "2.0.1-1.gab12cd4"]) {
      await publish("plain", version);
    }
    const { "dist-tags": tags, ...shown } = JSON.parse(await npm(dir.path, server.url, "view", "plain"));
    assert.deepEqual(tags, { latest: "2.0.0", next: "2.0.1-1.gab12cd4", "latest-1": "1.2.5" });
    assert.equal(shown.description, 'A "test" – with\nmarks.');
  });
});
