import * as z from "zod";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Check, CommitRef, Gate } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import { path, type Query, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { readAnswer, routeOf } from "./payload.ts";
import { stateOf } from "./states.ts";

/** A row of a commit's statuses. Each report is a row of its own, and ids rise within the commit. */
const status = z.object({
  id: z.number(),
  // Its name in the API is not the one that a report has.
  status: z.string(),
  context: z.string(),
  description: z.string().nullish(),
  target_url: z.string().nullish(),
  url: z.string().nullish(),
  created_at: time.nullish().catch(null),
  // Null: Gitea's own Actions, or a user who is gone.
  creator: z.object({ login: z.string() }).nullish(),
});

/**
 * By ids. Gitea sorts by whole seconds if nothing is said, and then a row may be on no page: databases order equal ones as
 * they like. Its names for the two directions are swapped.
 */
const OLDEST_FIRST = { sort: "highestindex" };

export type CommitStatus = z.output<typeof status>;

/**
 * Every row at exactly this sha. `/commits/<sha>/statuses` would give those of a branch or tag that is called like the
 * commit, and Gitea allows such names. This route gives an empty list for a commit that is gone.
 * @throws TransientError; Declined if the token may not read it
 */
export async function listStatuses(api: RestApi, { repo, sha }: CommitRef): Promise<CommitStatus[]> {
  const route = `${routeOf(repo)}${path`/statuses/${sha}`}`;
  return readAnswer("a commit status", status, await api.list(route, OLDEST_FIRST));
}

/**
 * The checks at exactly this sha. With `ci.apps` a check is by the user who reported it. Otherwise the newest report of
 * a context counts, whoever made it, as in Gitea.
 * @param url of Gitea: its own Actions give addresses without a host
 * @throws TransientError, Refused if the commit is gone
 */
export async function readChecks(api: RestApi, url: string, commit: CommitRef, { apps }: Gate): Promise<Check[]> {
  const rows = await statusesOrGone(api, commit);
  return rows.map(({ id, status, context, target_url, created_at, creator }) => ({
    name: context,
    source: "status",
    state: stateOf(status),
    app: apps === null ? null : (creator?.login.toLowerCase() ?? null),
    detail: status,
    at: created_at ?? 0,
    order: id,
    ...(target_url && URL.canParse(target_url, url) ? { url: new URL(target_url, url).href } : {}),
  }));
}

async function statusesOrGone(api: RestApi, commit: CommitRef): Promise<CommitStatus[]> {
  try {
    const rows = await listStatuses(api, commit);
    if (rows.length === 0 && (await isGone(api, commit))) throw commitGone(commit);
    return rows;
  } catch (error) {
    throw error instanceof Declined ? unreadable(error, commit) : error;
  }
}

/** Without the files of the commit. */
const BRIEF = { stat: false, verification: false, files: false };

/** Whether the repo is there without the commit. @throws TransientError; Declined where it is not there either */
export async function isGone(api: RestApi, { repo, sha }: CommitRef): Promise<boolean> {
  const route = routeOf(repo);
  if (await has(api, `${route}${path`/git/commits/${sha}`}`, BRIEF)) return false;
  // A repo that the token may not see is answered with the same words.
  await api.get(route);
  return true;
}

async function has(api: RestApi, route: string, query: Query): Promise<boolean> {
  try {
    await api.get(route, query);
    return true;
  } catch (error) {
    if (error instanceof Declined && error.status === 404) return false;
    throw error;
  }
}

export function commitGone({ repo, sha }: CommitRef): Refused {
  return new Refused("commit-gone", `Gitea has no commit ${sha} in ${repo.owner}/${repo.name}.`);
}

function unreadable({ status, message }: Declined, { repo }: CommitRef): TransientError {
  return new TransientError(
    "gitea-ci-unreadable",
    `Gitea does not show the statuses of ${repo.owner}/${repo.name} (${status}, ${message}): check that the ` +
      `token of host '${repo.host}' has the scope 'read:repository', and that its owner may read the repo.`,
  );
}
