import type { World } from "../world/process.ts";
import { expectedOf } from "./expected.ts";
import { IMMUTABLE } from "./invariants.ts";
import { checkMovingNames } from "./moving.ts";
import type { Scenario } from "./scenario.ts";
import type { Seen } from "./story.ts";

interface ReleaseRow {
  id: string;
  sha: string;
  artifact: string;
  digest: string;
  delivery_id: string;
}

interface LocationRow {
  registry: string;
  repository: string;
  tag: string;
  digest: string;
  immutable: number;
  artifact: string;
  delivery_id: string;
}

/** The oracle: what must be true when all is quiet. @returns what is not */
export async function checkEnd(world: World, scenario: Scenario, seen: Seen): Promise<string[]> {
  const { database } = world;
  const releases = await database.ask<ReleaseRow>("select id, sha, artifact, digest, delivery_id from releases");
  const locations = await database.ask<LocationRow>("select * from locations");
  return [
    ...checkReleases(world, scenario, seen, releases),
    ...checkNames(world, releases, locations),
    ...checkDestinations(world, scenario, seen, releases),
    ...checkNotices(world, releases),
    ...checkRed(world, seen, releases),
    ...checkRegistries(world, [...releases, ...(await givenUp(world, seen))]),
    ...checkStatuses(world, seen, releases),
    ...(await checkAccepted(world, seen)),
    ...checkMovingNames(world, scenario, seen, releases),
  ];
}

/** One release for each green commit and artifact, and none for a commit that was never green. */
function checkReleases(world: World, scenario: Scenario, seen: Seen, releases: ReleaseRow[]): string[] {
  const problems: string[] = [];
  const keys = new Set<string>();
  for (const { sha, artifact } of releases) {
    const id = seen.ids.get(sha) ?? sha;
    if (keys.has(`${sha} ${artifact}`)) problems.push(`two releases of ${artifact} of ${id}`);
    keys.add(`${sha} ${artifact}`);
    if (!seen.wasGreen.has(sha)) problems.push(`${id} was released, and was never green`);
    if (!world.host.answeredGreen.has(sha))
      problems.push(`${id} was released, and the host never said that it is green`);
  }
  for (const { sha, mustRelease } of expectedOf(world, scenario, seen)) {
    const isAlone = (scenario.repos[seen.repoOf.get(sha) ?? 0]?.artifacts.length ?? 1) === 1;
    if (mustRelease && isAlone && !releases.some((each) => each.sha === sha))
      problems.push(`${seen.ids.get(sha)} is green and has no release`);
  }
  return problems;
}

/** Every immutable name of a release is in its registry, with its digest. */
function checkNames(world: World, releases: ReleaseRow[], locations: LocationRow[]): string[] {
  const problems: string[] = [];
  for (const { registry, repository, tag, digest, immutable } of locations) {
    if (Number(immutable) === 0) continue;
    const there = world.registries.get(registry)?.tags.get(`${repository}:${tag}`);
    if (there !== digest)
      problems.push(`${repository}:${tag} in ${registry} holds ${there}, and the ledger says ${digest}`);
  }
  for (const { artifact, digest, delivery_id, sha } of releases) {
    const own = locations.filter((each) => each.delivery_id === delivery_id && each.artifact === artifact);
    for (const each of own)
      if (Number(each.immutable) === 1 && each.digest !== digest)
        problems.push(`${each.tag} of ${artifact} of ${sha} has another digest than its release`);
    if (!own.some((each) => each.tag.startsWith("sha-")))
      problems.push(`the release of ${artifact} of ${sha} has no name`);
  }
  return problems;
}

/** A release has the name of its sha at every destination of its plan. */
function checkDestinations({ registries }: World, { repos }: Scenario, seen: Seen, releases: ReleaseRow[]): string[] {
  return releases.flatMap(({ sha, artifact, digest }) => {
    const plan = repos[seen.repoOf.get(sha) ?? 0];
    const name = `acme/${plan?.name}-${artifact}:sha-${sha.slice(0, 7)}`;
    const to = plan?.artifacts.find((each) => each.name === artifact)?.to ?? [];
    return to.flatMap((key) =>
      registries.get(key)?.tags.get(name) === digest ? [] : [`${artifact} of ${seen.ids.get(sha)} is not in ${key}`],
    );
  });
}

/** Distinct ids of notices are the releases. */
function checkNotices({ notices }: World, releases: ReleaseRow[]): string[] {
  const told = new Set(notices.map(({ id }) => id).filter((id) => id.startsWith("release-")));
  const missing = releases.filter(({ id }) => !told.has(`release-${id}`));
  const problems = missing.map(({ sha, artifact }) => `no notice of ${artifact} of ${sha}`);
  if (told.size > releases.length - missing.length) problems.push("a notice has no release");
  return problems;
}

/** The last status of a released artifact is success. */
function checkStatuses({ host }: World, seen: Seen, releases: ReleaseRow[]): string[] {
  return releases.flatMap(({ sha, artifact }) => {
    const last = host.reports.get(`${sha} deliverd/${artifact}`)?.at(-1);
    if (last?.state === "success" || seen.touched.has(sha)) return [];
    return [`the last status of ${artifact} of ${seen.ids.get(sha)} is ${last?.state ?? "none"}: ${last?.description}`];
  });
}

/** Every webhook that was answered 202 is in the inbox. */
async function checkAccepted({ database }: World, seen: Seen): Promise<string[]> {
  const rows = await database.ask<{ delivery_id: string }>("select delivery_id from hints");
  const kept = new Set(rows.map((row) => row.delivery_id));
  return seen.accepted.flatMap((id) => (kept.has(id) ? [] : [`${id} was answered 202, and is lost`]));
}

/** Whoever was told that CI turned red after a release tells the receivers of notices. */
function checkRed({ host, notices }: World, seen: Seen, releases: ReleaseRow[]): string[] {
  const told = new Set(notices.map(({ id }) => id));
  return releases.flatMap(({ id, sha, artifact }) => {
    if (host.checks.get(sha)?.[0]?.state !== "failed" || !seen.toldRed.has(sha) || told.has(`ci-red-${id}`)) return [];
    return [`CI of ${seen.ids.get(sha)} turned red after the release of ${artifact}, and no notice says so`];
  });
}

/** Contents of deliveries that got some of their names, and then met one that is another's. */
async function givenUp({ database }: World, seen: Seen): Promise<{ digest: string }[]> {
  const rows = await database.ask<{ digest: string; sha: string }>(
    `select a.digest, d.sha from artifacts a join deliveries d on d.id = a.delivery_id
    where d.state = 'failed' and a.pinned_fence is not null`,
  );
  return rows.filter(({ sha }) => seen.squatted.has(sha) || seen.moved.has(sha));
}

/** Every immutable name in a registry is one of a release, or of somebody else as it was. */
function checkRegistries({ registries }: World, releases: { digest: string }[]): string[] {
  const digests = new Set(releases.map(({ digest }) => digest));
  return [...registries.values()].flatMap(({ key, tags, squatted }) =>
    [...tags].flatMap(([name, digest]) => {
      const theirs = squatted.get(name);
      if (theirs !== undefined) return theirs === digest ? [] : [`${name} in ${key} was somebody else's`];
      if (!IMMUTABLE.test(name.slice(name.indexOf(":") + 1)) || digests.has(digest)) return [];
      return [`${name} in ${key} holds ${digest}, which no release has`];
    }),
  );
}
