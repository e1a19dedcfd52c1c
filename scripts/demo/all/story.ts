import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import type { ReleaseView } from "../../../src/delivery/release-view.ts";
import type { ArtifactPlan } from "../../../src/delivery/types.ts";
import { importShell } from "../../../test/support/engine/image-builds.ts";
import type { Files } from "../../../test/support/fixtures/work-tree.ts";
import type { Product } from "../../../test/support/hosts/products.ts";
import { Aws, awsEnvironment } from "../../../test/support/registries/aws/index.ts";
import { deliver, patience, type Scene } from "../scene.ts";
import { type Started, type Surroundings, surround } from "../surroundings.ts";
import type { Teller } from "../teller.ts";
import { bringBack } from "./back.ts";
import type { Place } from "./place.ts";
import { openPlaces } from "./places.ts";

const SAMPLE = fileURLToPath(new URL("sample", import.meta.url));
/** What the sample's packages are made in. Nobody listens on that port, so that it is never pulled. */
const SHELL = "127.0.0.1:9/demo-shell:1";

export const title = "deliverd: artifacts of every kind into a registry of every type, and back";

export async function begin(started: Started, tell: Teller, product: Product): Promise<Scene> {
  const places = new Map<string, Place>();
  const around = await surround(started, tell, product, async ({ docker, pid }) => {
    // An engine of our own takes it along, and may have ended by then.
    const forget = async () => pid === null && docker.getImage(SHELL).remove({ force: true });
    await started.add(importShell(docker, SHELL), forget);
    tell.step("Registries", "one of every type");
    const aws = await started.add(new Aws().start(), (one) => one.stop());
    const opened = await openPlaces(started.add, aws);
    for (const [type, place] of opened) {
      places.set(place.key, place);
      tell.fact(`${place.key} (${type})`, `${(place.isReal ? "real" : "stand-in").padEnd(9)} ${place.is}`);
    }
    const entries = [...opened].map(([type, { key, config }]) => [key, { type, ...config }]);
    return { registries: Object.fromEntries(entries), env: awsEnvironment(aws) };
  });
  return {
    around,
    play: (signal) => play(around, places, tell, signal),
    addresses: [...places.values()].flatMap(({ key, config }) =>
      typeof config.url === "string" ? [[key, config.url] as [string, string]] : [],
    ),
  };
}

async function play(around: Surroundings, places: Map<string, Place>, tell: Teller, signal: AbortSignal) {
  const { host, repo, deliverd, sink } = around;
  const patiently = patience(signal, 120_000);
  const files = await sampleFiles();
  const { artifacts } = parsePipeline(String(files[".deliverd.yml"]));
  const unused = [...places.keys()].filter((key) => !artifacts.some((one) => destinationsOf(one).includes(key)));
  assert.deepEqual(unused, [], "the sample delivers nothing to these");
  const sha = await deliver(around, files, tell, signal);

  const releases: ReleaseView[] = [];
  for (const artifact of artifacts) {
    const release = await patiently(`${artifact.name} is in all its registries`, async () => {
      const { items } = await deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?sha=${sha}`);
      const found = items.find((each) => each.artifact === artifact.name);
      const held = found?.locations.map(({ registry }) => registry) ?? [];
      return destinationsOf(artifact).every((key) => held.includes(key)) ? found : null;
    });
    tell.step("release", `${release.artifact} (${release.kind}) ${release.version} ${release.digest}`);
    for (const { registry, name } of release.locations) tell.fact(registry, name);
    await patiently(`the commit bears success for ${artifact.name}`, () => {
      const said = host.reportOn(repo, sha, `deliverd/${artifact.name}`);
      return said?.state === host.success ? said : null;
    });
    releases.push(release);
  }
  await patiently("a notice of each", () => (sink.notices.length >= artifacts.length ? sink.notices : null));
  tell.step("notices", `${sink.notices.length}, one of each artifact`);

  await bringBack(releases, places, deliverd, tell, signal);
  const complaints = [...places.values()].flatMap((place) => place.complaints?.() ?? []);
  assert.deepEqual(complaints, [], "a registry was spoken to in the wrong way");
}

function destinationsOf({ publish }: ArtifactPlan): string[] {
  return publish.map(({ to }) => to);
}

async function sampleFiles(): Promise<Files> {
  const entries = await readdir(SAMPLE, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = paths.map(async (path) => [path.slice(SAMPLE.length + 1), await readFile(path, "utf8")] as const);
  return Object.fromEntries(await Promise.all(read));
}
