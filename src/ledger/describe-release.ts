import type { RepoId, Release as TheRelease } from "../delivery/types.ts";
import { frozenOf } from "./frozen-columns.ts";
import type { Db } from "./ledger.ts";
import { locationsOfReleases, type StoredLocation } from "./locations.ts";
import type { Release } from "./releases.ts";
import { getRepo } from "./repos.ts";

/** A release in its public form: the API, notices and web pages show this. */
export async function describeRelease(ledger: Db, release: Release): Promise<TheRelease> {
  const [described] = await describeReleases(ledger, [release]);
  if (described === undefined) throw new Error(`release ${release.id} was not described`);
  return described;
}

/** Several releases in their public form, in the same order. What they need is read for all at once. */
export async function describeReleases(ledger: Db, releases: readonly Release[]): Promise<TheRelease[]> {
  const names = await repoNames(
    ledger,
    releases.map(({ repoId }) => repoId),
  );
  const locations = new Map<string, StoredLocation[]>();
  for (const each of await locationsOfReleases(ledger, releases))
    locations.set(contentKey(each), [...(locations.get(contentKey(each)) ?? []), each]);
  return releases.map((release) => {
    const repo = names.get(release.repoId) ?? release.repoId;
    return publicForm(release, repo, locations.get(contentKey(release)) ?? []);
  });
}

function contentKey({ repoId, artifact, digest }: Pick<Release, "repoId" | "artifact" | "digest">): string {
  return JSON.stringify([repoId, artifact, digest]);
}

function publicForm(release: Release, repo: string, stored: StoredLocation[]): TheRelease {
  const { id, artifact, kind, version, versions, sha, digest, deliveryId } = release;
  const locations = stored.map(({ registry, repository, tag, digest, url, pull }) => {
    return { registry, repository, tag, digest, url, pull };
  });
  const times = { committedAt: iso(release.committedAt), releasedAt: iso(release.releasedAt) };
  const { files = [], package: identity = null } = frozenOf(release);
  const what = { id, artifact, kind, version, versions, repo, sha, ref: release.ref ?? "", digest };
  return { ...what, ...times, deliveryId, files, package: identity, locations };
}

/** `<hosts key>/<owner>/<name>`, with the repo's current name. */
export async function repoName(ledger: Db, repoId: RepoId): Promise<string> {
  const repo = await getRepo(ledger, repoId);
  return repo === null ? repoId : fullName(repo);
}

/** The names of several repos, by their ids. A repo that the ledger does not know has none. */
export async function repoNames(ledger: Db, repoIds: readonly RepoId[]): Promise<Map<RepoId, string>> {
  const ids = [...new Set(repoIds)];
  if (ids.length === 0) return new Map();
  const rows = await ledger.db.selectFrom("repos").selectAll().where("id", "in", ids).execute();
  return new Map(rows.map((repo) => [repo.id, fullName(repo)]));
}

function fullName({ host, owner, name }: { host: string; owner: string; name: string }): string {
  return `${host}/${owner}/${name}`;
}

/** ISO 8601 in UTC. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
