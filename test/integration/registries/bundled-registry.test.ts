import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import type { Digest } from "../../../src/delivery/types.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { freePort, type Server, startServer, type TempDir, tempDir, until } from "../../support/processes/process.ts";

const script = fileURLToPath(new URL("../../../deploy/compose/registry.sh", import.meta.url));
const DAY_MS = 24 * 60 * 60_000;

describe("The registry of the Compose file", function () {
  this.timeout(60_000);
  let dir: TempDir;
  let store: Store;
  let server: Server;
  let url: string;
  const data = () => join(dir.path, "data");

  before(async () => {
    dir = await tempDir();
    store = new Store(join(dir.path, "store"));
    await mkdir(join(dir.path, "bin"));
    await symlink("/usr/bin/docker-registry", join(dir.path, "bin/registry"));
  });

  after(() => dir.remove());

  /** Runs it as the Compose file does, with its storage here. */
  async function start(env: Record<string, string> = {}) {
    await server?.stop();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const config = join(dir.path, "config.yml");
    const storage = { filesystem: { rootdirectory: data() } };
    await writeFile(
      config,
      stringify({ version: 0.1, log: { level: "error" }, storage, http: { addr: `127.0.0.1:${port}` } }),
    );
    server = await startServer("/bin/sh", [script], async () => assert.ok((await fetch(`${url}/v2/`)).ok), {
      env: {
        PATH: `${dir.path}/bin:${process.env.PATH}`,
        TMPDIR: dir.path,
        REGISTRY_CONFIG: config,
        REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: data(),
        ...env,
      },
    });
  }

  afterEach(() => server?.stop());

  const hasManifest = async (digest: string) =>
    (await fetch(`${url}/v2/acme/api/manifests/${digest}`, { method: "HEAD", headers: { accept: TYPE } })).status ===
    200;
  const hasBlob = async (digest: string) => (await fetch(`${url}/v2/acme/api/blobs/${digest}`, { method: "HEAD" })).ok;
  /** While it cleans up, it does not answer. */
  const settled = (what: string, check: () => Promise<boolean>) =>
    until(what, () => check().catch(() => false), 20_000);

  async function publish(tag: string): Promise<Digest> {
    const content = await freezeImage(store, { family: "oci" });
    const name = { registry: "local", repository: "acme/api", tag, immutable: true };
    await ociRegistry("local", { url }, { store }).publish(content, name, testRun());
    return content.digest;
  }

  async function putBlob(text: string): Promise<string> {
    const digest = digestOf(text);
    const begun = await fetch(`${url}/v2/acme/api/blobs/uploads/`, { method: "POST" });
    const at = new URL(begun.headers.get("location") ?? "", url);
    at.searchParams.set("digest", digest);
    assert.equal((await fetch(at, { method: "PUT", body: text })).status, 201);
    return digest;
  }

  /** What is signed for an image: a manifest without a tag, which names the image. */
  async function putSignature(of: Digest): Promise<string> {
    const manifest = (await (
      await fetch(`${url}/v2/acme/api/manifests/${of}`, { headers: { accept: TYPE } })
    ).json()) as object;
    const text = JSON.stringify({ ...manifest, subject: { mediaType: TYPE, digest: of, size: 1 } });
    const headers = { "content-type": TYPE };
    const put = await fetch(`${url}/v2/acme/api/manifests/${digestOf(text)}`, { method: "PUT", body: text, headers });
    assert.equal(put.status, 201, await put.text());
    return digestOf(text);
  }

  async function makeOld(path: string) {
    const then = new Date(Date.now() - 100 * DAY_MS);
    await utimes(join(data(), "docker/registry/v2/repositories/acme/api/_manifests", path), then, then);
  }
  const revision = (digest: string) => `revisions/sha256/${digest.slice("sha256:".length)}/link`;

  it("keeps every image, however old, and deletes layers that no image uses", async () => {
    await start();
    const image = await publish("1.0.0");
    await makeOld("tags/1.0.0/current/link");
    await makeOld(revision(image));
    const orphan = await putBlob("of a push that was interrupted");
    await start({ REGISTRY_CLEANUP_SECONDS: "1" });

    await settled("the orphan is gone", async () => !(await hasBlob(orphan)));
    await settled("the image is there", () => hasManifest("1.0.0"));
  });

  it("deletes images that nobody wrote for REGISTRY_KEEP_DAYS, and keeps what belongs to a younger one", async () => {
    await start();
    const [young, old] = [await publish("2.0.0"), await publish("1.5.0")];
    const signature = await putSignature(young);
    await makeOld("tags/1.5.0/current/link");
    for (const digest of [old, young, signature]) await makeOld(revision(digest));

    await start({ REGISTRY_KEEP_DAYS: "90", REGISTRY_CLEANUP_SECONDS: "1" });

    await settled("the old image is gone", async () => !(await hasManifest(old)) && (await hasManifest(young)));
    await settled("the others are there", async () => {
      const found = await Promise.all(["1.5.0", "2.0.0", signature].map(hasManifest));
      return isDeepStrictEqual(found, [false, true, true]);
    });
  });
});

const TYPE = "application/vnd.oci.image.manifest.v1+json";

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
