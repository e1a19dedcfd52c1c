import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Check, CommitRef } from "../../../delivery/types.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { Declined } from "../../rest/failure.ts";
import { stateOf } from "../states.ts";
import { commitRoute, readAnswer } from "./payload.ts";

/** https://developer.atlassian.com/server/bitbucket/rest/v816/api-group-builds-and-deployments/ */
const build = z.object({
  key: z.string(),
  name: z.string().nullish(),
  state: z.string(),
  url: z.string().nullish(),
  /** The job or plan that the build belongs to: what Bitbucket's required builds name. */
  parent: z.string().nullish(),
  ref: z.string().nullish(),
  // ms since the epoch. The names differ by version.
  dateAdded: z.number().nullish(),
  createdDate: z.number().nullish(),
  updatedDate: z.number().nullish(),
});
type Build = z.output<typeof build>;

/** The checks at exactly this sha. @throws TransientError, Refused if the commit is gone */
export async function readChecks(api: RestApi, commit: CommitRef): Promise<Check[]> {
  try {
    // The newer routes give one build by its key, and no list.
    const items = await api.list(path`/build-status/1.0/commits/${commit.sha}`);
    const builds = readAnswer("a list of builds", build, items);
    if (builds.length === 0) await requireCommit(api, commit);
    const unlisted = builds.length < MAX_LISTED ? [] : await readUnlisted(api, commit, builds);
    return [...checksOf(builds), ...unlisted];
  } catch (error) {
    throw error instanceof Declined ? unreadable(error, commit) : error;
  }
}

/** The list knows only ids of commits: one that is gone has an empty list too. @throws Declined */
async function requireCommit(api: RestApi, commit: CommitRef): Promise<void> {
  await api.get(commitRoute(commit));
}

/** Of one commit Bitbucket lists the newest builds only. */
const MAX_LISTED = 100;

const counts = z.object({
  successful: z.number().nullish(),
  failed: z.number().nullish(),
  inProgress: z.number().nullish(),
  cancelled: z.number().nullish(),
  unknown: z.number().nullish(),
});

/** By the key of a count, the word for the state. */
const COUNTED = new Map<keyof z.output<typeof counts>, string>([
  ["successful", "SUCCESSFUL"],
  ["failed", "FAILED"],
  ["inProgress", "INPROGRESS"],
  ["cancelled", "CANCELLED"],
  ["unknown", "UNKNOWN"],
]);

/** One check for the builds of each state that are counted and not listed: among them may be one that failed. */
async function readUnlisted(api: RestApi, { sha }: CommitRef, listed: Build[]): Promise<Check[]> {
  const answer = await api.get(path`/build-status/1.0/commits/stats/${sha}`);
  const [counted] = readAnswer("a count of builds", counts, [answer]);
  return [...COUNTED].flatMap(([key, word]) => {
    const missing = (counted?.[key] ?? 0) - listed.filter(({ state }) => state === word).length;
    if (missing <= 0) return [];
    const name = `${missing} builds that Bitbucket does not list`;
    return [{ name, source: "build", state: stateOf(word), app: null, appId: null, detail: word, at: 0, group: word }];
  });
}

/** Of the builds with one key the newest counts, for each ref that it ran for. */
function checksOf(builds: Build[]): Check[] {
  const newest = new Map<string, Build>();
  for (const each of builds) {
    const place = placeOf(each);
    const known = newest.get(place);
    if (known === undefined || changedAt(each) > changedAt(known)) newest.set(place, each);
  }
  return [...newest.values()].map(checkOf);
}

function checkOf(each: Build): Check {
  return {
    name: each.name || each.key,
    aliases: [each.key, ...(each.parent ? [each.parent] : [])],
    source: "build",
    state: stateOf(each.state),
    // Whoever may read a repo may post a build under any key.
    app: null,
    appId: null,
    detail: each.state,
    at: changedAt(each),
    group: placeOf(each),
    ...(each.url ? { url: each.url } : {}),
  };
}

function placeOf({ key, ref }: Build): string {
  return JSON.stringify([key, ref ?? ""]);
}

function changedAt({ updatedDate, dateAdded, createdDate }: Build): number {
  return updatedDate ?? dateAdded ?? createdDate ?? 0;
}

function unreadable({ status, message }: Declined, { repo, sha }: CommitRef): Error {
  if (status === 404 && /^commit\b/i.test(message)) {
    return new Refused("commit-gone", `Bitbucket has no commit ${sha} in ${repo.owner}/${repo.name}: ${message}`);
  }
  return new TransientError(
    "bitbucket-ci-unreadable",
    `Bitbucket does not show the builds of ${repo.owner}/${repo.name} (${status}, ${message}): check that the token of ` +
      `host '${repo.host}' has the right 'Repository read'.`,
  );
}
