import { join } from "node:path";
import type { BuildLimits, Built } from "../../src/builders/builder.ts";
import { matchRepo } from "../../src/delivery/bounds.ts";
import { ecosystemVersion } from "../../src/delivery/ecosystem-version.ts";
import { buildEnvironment, releaseMetadata } from "../../src/delivery/metadata.ts";
import type { ArtifactPlan, BuildCommands } from "../../src/delivery/types.ts";
import { isDockerfileOutside, openContext } from "../../src/git/context.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import type { Run } from "../../src/run/run.ts";
import type { BuildSlots, GiveBack } from "../build-slots.ts";
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
  const { delivery, commit, mirror, fence } = work;
  await setArtifactState(station.ledger, delivery.id, artifact.name, "building", `building ${version}`, fence);
  const facts = factsOfBuild(station, work, version);
  // A version that its ecosystem cannot write must be found before the build, not at the upload.
  ecosystemVersion(artifact.kind, version);
  const limits = limitsOf(station, artifact);
  // As BUILD_ID reads it. The place distinguishes names that differ in one special character only.
  const safeName = artifact.name.replace(/[^a-z0-9]+/g, "-");
  const id = `${delivery.id}-${fence}-${work.plan.artifacts.indexOf(artifact)}-${safeName}`;
  const own = { ...run, tmp: join(run.tmp, artifact.name) };
  const open = (paths: { contextDir: string; dockerfile: string | null }) =>
    openContext(mirror, commit.sha, { ...paths, maxBytes: CONTEXT_MAX_BYTES, maxEntries: CONTEXT_MAX_ENTRIES }, own);
  if (artifact.build !== null) {
    const order = { id, artifact: { ...artifact, build: artifact.build }, cacheOf: work.repo.id };
    return station.builders.files.build(
      {
        ...order,
        openTree: () => open({ contextDir: ".", dockerfile: null }),
        environment: buildEnvironment(facts),
        secrets: secretsOf(station, work, artifact.build),
        limits,
      },
      own,
    );
  }
  const paths = { contextDir: artifact.context, dockerfile: artifact.dockerfile };
  return station.builders.image.build(
    {
      id,
      artifact,
      openContext: () => open(paths),
      dockerfileApart: await isDockerfileOutside(mirror, commit.sha, paths),
      dockerfile: await readDockerfile(mirror, commit.sha, artifact),
      args: { ...artifact.args, ...buildEnvironment(facts) },
      labels: releaseMetadata(facts),
      limits,
    },
    own,
  );
}

/** The server grants every one of them: else the plan was refused. */
function secretsOf(
  { config }: Pick<Station, "config">,
  { repo }: Work,
  { secrets }: BuildCommands,
): Record<string, string> {
  const granted = matchRepo(config.repos, repo)?.secrets ?? {};
  return Object.fromEntries(secrets.map((name) => [name, granted[name] ?? ""]));
}

/** A pipeline may ask for less than the server allows, never for more. */
export function limitsOf({ config }: Pick<Station, "config">, { build }: Pick<ArtifactPlan, "build">): BuildLimits {
  const { limits, buildTimeout } = config.docker;
  const least = (a: number | null, b: number | null = null) => (a === null || b === null ? (a ?? b) : Math.min(a, b));
  return {
    memoryBytes: least(limits.memory, build?.limits.memoryBytes),
    cpus: least(limits.cpus, build?.limits.cpus),
    time: least(buildTimeout, build?.limits.time) ?? buildTimeout,
  };
}
