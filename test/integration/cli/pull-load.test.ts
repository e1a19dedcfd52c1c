import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { withRepo } from "../../support/databases/ledgers.ts";
import { type Engine, startEngine } from "../../support/engine/engine.ts";
import { type TarEntry, tarOf } from "../../support/fixtures/archives.ts";
import { released } from "../../support/fixtures/releases.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type Download, downloadOnlyRegistry } from "../../support/registries/download-source.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { startApi, type TestApi, TOKEN } from "../api/support.ts";

const digestOf = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const OCI = "application/vnd.oci.image";

describe("deliverd pull --load of an image for several platforms", function () {
  this.timeout(60_000);
  const shelved: Record<string, Download> = {};
  let engine: Engine;
  let ledger: Ledger;
  let api: TestApi;
  let dir: { path: string; remove(): Promise<void> };

  before(async () => {
    dir = await tempDir();
    engine = await startEngine();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger, { registries: new Map([["files", downloadOnlyRegistry(shelved)]]) });
  });
  after(async () => {
    await api.close();
    await ledger.close();
    await engine.stop();
    await dir.remove();
  });

  function load(artifact: string): Promise<{ code: number | string; stdout: string; stderr: string }> {
    const env = {
      ...{ PATH: process.env.PATH, DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN },
      DOCKER_HOST: `unix://${engine.socket}`,
    };
    const args = [BIN, "pull", `${artifact}@1.0.0`, "-o", join(dir.path, "out"), "--load", "--json"];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  }

  /** Puts an index of one image each for these on the shelf. @returns the digests of their configurations */
  async function shelve(artifact: string, architectures: string[]): Promise<string[]> {
    const entries: TarEntry[] = [{ name: "oci-layout", text: "{}" }];
    const blob = (bytes: Buffer | string, mediaType: string) => {
      const digest = digestOf(bytes);
      // The tar takes bytes as it takes text.
      entries.push({ name: `blobs/sha256/${digest.slice("sha256:".length)}`, text: bytes as string });
      return { mediaType, digest, size: bytes.length };
    };
    const configs: string[] = [];
    const manifests: object[] = [];
    for (const architecture of architectures) {
      const layer = await tarOf([{ name: "which", text: architecture }]);
      const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
      const config = blob(JSON.stringify({ architecture, os: "linux", config: {}, rootfs }), `${OCI}.config.v1+json`);
      configs.push(config.digest);
      const layers = [blob(layer, `${OCI}.layer.v1.tar`)];
      const manifest = JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers });
      manifests.push({ ...blob(manifest, `${OCI}.manifest.v1+json`), platform: { os: "linux", architecture } });
    }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests });
    const { digest } = blob(index, `${OCI}.index.v1+json`);
    shelved[artifact] = await tarOf(entries);
    await released(ledger, artifact, "image", { digest, mediaType: `${OCI}.index.v1+json`, size: 1 });
    return configs;
  }

  it("loads the image for the engine's platform", async () => {
    const { Arch } = await engine.docker.version();
    const [, wanted] = await shelve("several", ["s390x", Arch]);
    const { code, stdout, stderr } = await load("several");
    assert.equal(code, 0, stderr);
    const image = engine.docker.getImage("several:1.0.0");
    try {
      assert.deepEqual(JSON.parse(stdout).loaded, { image: "several:1.0.0", id: wanted });
      assert.equal((await image.inspect()).Architecture, Arch);
    } finally {
      await image.remove({ force: true });
    }
  });

  it("fails if there is no image for the engine's platform, and leaves nothing behind", async () => {
    await shelve("foreign", ["s390x"]);
    const { code, stderr } = await load("foreign");
    assert.equal(code, 1);
    assert.match(stderr, /it has no image for linux\/\w+, the platform of the engine\n$/);
    assert.deepEqual(await readdir(join(dir.path, "out")), []);
    await assert.rejects(engine.docker.getImage("foreign:1.0.0").inspect(), /no such image/i);
  });
});
