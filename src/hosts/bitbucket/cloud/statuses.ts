import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Check, CommitRef } from "../../../delivery/types.ts";
import { time } from "../../payload.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { Declined } from "../../rest/failure.ts";
import { stateOf } from "../states.ts";
import { readAnswer, routeOf } from "./payload.ts";

/** https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ */
const status = z.object({
  key: z.string(),
  name: z.string().nullish(),
  state: z.string(),
  refname: z.string().nullish(),
  url: z.string().nullish(),
  created_on: time.nullish(),
  updated_on: time.nullish(),
});
type Status = z.output<typeof status>;

/** The checks at exactly this sha. @throws TransientError, Refused if the commit is gone */
export async function readChecks(api: RestApi, commit: CommitRef): Promise<Check[]> {
  try {
    return checksOf(await api.list(`${routeOf(commit.repo)}${path`/commit/${commit.sha}/statuses`}`));
  } catch (error) {
    throw error instanceof Declined ? unreadable(error, commit) : error;
  }
}

/** Bitbucket keeps one status of each key: who reports again replaces it. Were there several, the newest counts. */
function checksOf(items: unknown[]): Check[] {
  const newest = new Map<string, Status>();
  for (const each of readAnswer("a list of statuses", status, items)) {
    const known = newest.get(each.key);
    if (known === undefined || changedAt(each) > changedAt(known)) newest.set(each.key, each);
  }
  return [...newest.values()].map(checkOf);
}

function checkOf(each: Status): Check {
  return {
    name: each.name || each.key,
    aliases: [each.key],
    source: "build",
    state: stateOf(each.state),
    // Anybody with the right to write can post a status under any key.
    app: null,
    appId: null,
    detail: each.state,
    at: changedAt(each),
    // Two builds may share a name, and neither hides the other.
    group: each.key,
    ...(each.url ? { url: each.url } : {}),
  };
}

function changedAt({ updated_on, created_on }: Status): number {
  return updated_on ?? created_on ?? 0;
}

function unreadable({ status, message }: Declined, { repo, sha }: CommitRef): Error {
  if (status === 404 && /^commit\b/i.test(message)) {
    return new Refused("commit-gone", `Bitbucket has no commit ${sha} in ${repo.owner}/${repo.name}: ${message}`);
  }
  return new TransientError(
    "bitbucket-ci-unreadable",
    `Bitbucket does not show the build statuses of ${repo.owner}/${repo.name} (${status}, ${message}): check that the ` +
      `token of host '${repo.host}' may read the repo (scope 'repository').`,
  );
}
