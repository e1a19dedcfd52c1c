import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Frozen } from "../src/delivery/frozen.ts";
import { Store } from "../src/store/store.ts";
import { freezeImage } from "../test/support/fixtures/images.ts";
import { tempDir } from "../test/support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../test/support/registries/docker-registry.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { type Row, toRow } from "./row.ts";
import { pathOf } from "./servers.ts";

const run = promisify(execFile);

const BYTES = 200_000_000;
const REPOSITORY = "acme/large";
const TAG = "1.0.0";

/**
 * An image of one layer of 200 MB from disk to its name in a registry, beside `skopeo copy` of the very same files. The layer
 * is a real gzip, for skopeo would compress any other. Each takes a registry that has never held anything: skopeo remembers
 * what it once sent to one, and would have it mounted. Starting up counts for neither: a daemon does so once, not for each
 * upload. Ours tells the time of the upload alone, and skopeo's is less what it takes to tell its version.
 */
export function upload(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const dir = await open(tempDir(), (one) => one.remove());
    bench.say("freezing the image");
    const image = await freezeImage(new Store(dir.path), { family: "oci", layers: [BYTES] });
    await makeLayout(dir.path, image);
    const into = (work: (registry: TestRegistry) => Promise<number>) => () =>
      withOpened(async (open) => {
        const registry = await open(startRegistry(), (one) => one.stop());
        const seconds = await work(registry);
        await demandImage(registry, image);
        return Number(seconds.toFixed(3));
      });
    const figures = await alternate(bench, {
      deliverd: into((registry) => byDeliverd(registry, dir.path, image)),
      skopeo: into((registry) => bySkopeo(registry, dir.path)),
    });
    const goal = { of: "ratio", is: "≤", bound: 1 } as const;
    const { deliverd = [], skopeo = [] } = figures;
    return [toRow({ row: "upload", beside: "skopeo copy", unit: "s", goal }, deliverd, skopeo)];
  });
}

/** The store keeps its blobs as an OCI image layout does (OCI image specification 1.1): the two files that are missing make it one. */
async function makeLayout(directory: string, { digest, mediaType }: Frozen): Promise<void> {
  const size = await new Store(directory).size(digest);
  const annotations = { "org.opencontainers.image.ref.name": TAG };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(directory, "index.json"), JSON.stringify(index));
}

async function byDeliverd(registry: TestRegistry, directory: string, image: Frozen): Promise<number> {
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: "production",
    STORE: directory,
    REGISTRY_URL: registry.url,
    REPOSITORY,
    TAG,
    FROZEN: JSON.stringify(image),
  };
  const { stdout } = await run(process.execPath, [pathOf("upload.mjs")], { env });
  return Number(stdout);
}

async function bySkopeo(registry: TestRegistry, directory: string): Promise<number> {
  const start = await timed("--version");
  const to = `docker://${registry.host}/${REPOSITORY}:${TAG}`;
  const copy = ["copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", "--dest-no-creds"];
  return (await timed("--insecure-policy", ...copy, `oci:${directory}:${TAG}`, to)) - start;
}

/** @returns seconds */
async function timed(...args: string[]): Promise<number> {
  const begin = performance.now();
  await run("skopeo", args);
  return (performance.now() - begin) / 1000;
}

/** A figure for other bytes would be worth nothing. */
async function demandImage(registry: TestRegistry, { digest, mediaType }: Frozen): Promise<void> {
  const url = `${registry.url}/v2/${REPOSITORY}/manifests/${TAG}`;
  const answer = await fetch(url, { method: "HEAD", headers: { accept: mediaType } });
  const found = answer.headers.get("docker-content-digest");
  if (found !== digest) throw new Error(`${REPOSITORY}:${TAG} should be ${digest}, and is ${found}`);
}
