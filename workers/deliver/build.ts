import { join } from "node:path";
import type { BuildOrder, Built, FilesOrder } from "../../src/builders/builder.ts";
import { builderOf } from "../../src/builders/index.ts";
import { matchRepo } from "../../src/delivery/bounds.ts";
import { ecosystemVersion } from "../../src/delivery/ecosystem-version.ts";
import { buildEnvironment, releaseMetadata } from "../../src/delivery/metadata.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";
import { isDockerfileOutside, openContext } from "../../src/git/context.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import { span } from "../../src/observe/span.ts";
import type { Run } from "../../src/run/run.ts";
import { type BuildSlots, type GiveBack, limitsOf } from "../build-slots.ts";
import { readDockerfile } from "../commit/holds-version.ts";
import { factsOfBuild } from "../commit/release-facts.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";

/** A build's id: `<delivery>-<fence>-<place of the artifact>-<name>`. */
export const BUILD_ID = /^([a-z0-9]+)-(\d+)-/;
const CONTEXT_MAX_BYTES = 4 * 1024 ** 3;
const CONTEXT_MAX_ENTRIES = 500_000;

/** What a build uses of the station. */
export type BuildParts = Pick<Station, "config" | "ledger" | "builders" | "storeId">;

/** Waits until this process has room for the build of the artifact. @returns what gives the room back */
export async function takeRoom(
  station: Pick<Station, "config">,
  artifact: ArtifactPlan,
  run: Run,
  capacity: BuildSlots,
): Promise<GiveBack> {
  const weight = capacity.weightOf(limitsOf(station, artifact).cpus);
  if (!capacity.fits(weight)) run.log.line(`${artifact.name}: waits until other builds have made room`);
  return capacity.take(weight, run.signal);
}

/** Builds one artifact by the builder of its kind. Its bytes stand in the store then. */
export async function build(
  station: BuildParts,
  work: Work,
  artifact: ArtifactPlan,
  version: string,
  run: Run,
): Promise<Built> {
  const { delivery, fence } = work;
  await setArtifactState(station.ledger, delivery.id, artifact.name, "building", `building ${version}`, fence);
  const facts = factsOfBuild(station, work, version);
  // A version that its ecosystem cannot write must be found before the build, not at the upload.
  ecosystemVersion(artifact.kind, version);
  const own = { ...run, tmp: join(run.tmp, artifact.name) };
  return span("build", { artifact: artifact.name, kind: artifact.kind, version }, async () => {
    switch (builderOf[artifact.kind]) {
      case "image":
        return station.builders.image.build(await imageOrder(station, work, artifact, facts, own), own);
      case "files":
        return station.builders.files.build(filesOrder(station, work, artifact, facts, own), own);
    }
  });
}

async function imageOrder(
  station: BuildParts,
  work: Work,
  artifact: ArtifactPlan,
  facts: ReturnType<typeof factsOfBuild>,
  run: Run,
): Promise<BuildOrder> {
  const { mirror, commit } = work;
  const paths = { contextDir: artifact.context, dockerfile: artifact.dockerfile };
  return {
    id: buildId(work, artifact),
    artifact,
    openContext: () => openTree(work, paths, run),
    dockerfileApart: await isDockerfileOutside(mirror, commit.sha, paths),
    dockerfile: await readDockerfile(mirror, commit.sha, artifact),
    args: { ...artifact.args, ...buildEnvironment(facts) },
    // deliverd's own come last: they win.
    labels: { ...artifact.labels, ...releaseMetadata(facts) },
    secrets: secretsOf(station, work, artifact.secrets),
    limits: limitsOf(station, artifact),
  };
}

function filesOrder(
  station: BuildParts,
  work: Work,
  artifact: ArtifactPlan,
  facts: ReturnType<typeof factsOfBuild>,
  run: Run,
): FilesOrder {
  const { build: commands } = artifact;
  if (commands === null) throw new TypeError(`artifact "${artifact.name}" has no commands`);
  return {
    id: buildId(work, artifact),
    artifact: { ...artifact, build: commands },
    cacheOf: work.repo.id,
    openTree: () => openTree(work, { contextDir: ".", dockerfile: null }, run),
    environment: buildEnvironment(facts),
    secrets: secretsOf(station, work, commands.secrets),
    limits: limitsOf(station, artifact),
  };
}

/** As BUILD_ID reads it. The place distinguishes names that differ in one special character only. */
function buildId({ delivery, fence, plan, builtAs }: Work, artifact: ArtifactPlan): string {
  const name = artifact.name.replace(/[^a-z0-9]+/g, "-");
  return `${builtAs ?? `${delivery.id}-${fence}`}-${plan.artifacts.indexOf(artifact)}-${name}`;
}

function openTree({ mirror, commit, plan }: Work, paths: { contextDir: string; dockerfile: string | null }, run: Run) {
  return openContext(
    mirror,
    commit.sha,
    {
      ...paths,
      maxBytes: CONTEXT_MAX_BYTES,
      maxEntries: CONTEXT_MAX_ENTRIES,
      refusesLfs: plan.lfs === "refuse",
    },
    run,
  );
}

/** The server grants every one of them: else the plan was refused. */
function secretsOf(
  { config }: Pick<Station, "config">,
  { repo }: Work,
  names: readonly string[],
): Record<string, string> {
  const granted = matchRepo(config.repos, repo)?.secrets ?? {};
  return Object.fromEntries(names.map((name) => [name, granted[name] ?? ""]));
}
