import type { RepoId, Release as TheRelease } from "../delivery/types.ts";
import { frozenOf } from "./frozen-columns.ts";
import type { Db } from "./ledger.ts";
import { locationsOfRelease } from "./locations.ts";
import type { Release } from "./releases.ts";
import { getRepo } from "./repos.ts";

/** A release in its public form: the API, notices and web pages show this. */
export async function describeRelease(ledger: Db, release: Release): Promise<TheRelease> {
  const { id, artifact, kind, version, versions, sha, digest, deliveryId } = release;
  const locations = (await locationsOfRelease(ledger, release)).map(
    ({ registry, repository, tag, digest, url, pull }) => ({ registry, repository, tag, digest, url, pull }),
  );
  const repo = await repoName(ledger, release.repoId);
  const times = { committedAt: iso(release.committedAt), releasedAt: iso(release.releasedAt) };
  const { files = [], package: identity = null } = frozenOf(release);
  const ref = release.ref ?? "";
  const what = { id, artifact, kind, version, versions, repo, sha, ref, digest };
  return { ...what, ...times, deliveryId, files, package: identity, locations };
}

/** `<hosts key>/<owner>/<name>`, with the repo's current name. */
export async function repoName(ledger: Db, repoId: RepoId): Promise<string> {
  const repo = await getRepo(ledger, repoId);
  return repo === null ? repoId : `${repo.host}/${repo.owner}/${repo.name}`;
}

/** ISO 8601 in UTC. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
