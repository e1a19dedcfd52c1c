import { oneLine } from "../../delivery/commit-status.ts";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { CommitRef } from "../../delivery/types.ts";
import type { Report, ReportHistory } from "../host.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { routeOf } from "./payload.ts";
import { newNameOf } from "./repos.ts";
import { type CommitStatus, commitGone, isGone, listStatuses } from "./statuses.ts";

/** Sets the commit status. Gitea adds a row for each, so one that may have arrived before is looked for first. */
export async function report(
  api: RestApi,
  commit: CommitRef,
  { context, state, description, targetUrl }: Report,
  history?: ReportHistory,
): Promise<void> {
  const wanted: Wanted = { state, context, description: oneLine(description), target_url: targetUrl };
  try {
    if (history?.isRepeat && (await isShown(api, commit, wanted))) return;
    await post(api, commit, wanted);
  } catch (error) {
    throw error instanceof Declined ? refusal(error, commit, context) : error;
  }
}

interface Wanted {
  state: Report["state"];
  context: string;
  description: string;
  target_url: string;
}

async function isShown(api: RestApi, commit: CommitRef, wanted: Wanted): Promise<boolean> {
  const own = (await listStatuses(api, commit)).filter(({ context }) => context === wanted.context);
  const newest = own.reduce<CommitStatus | null>((known, each) => (known && known.id > each.id ? known : each), null);
  if (newest === null) return false;
  const { status, description, target_url } = newest;
  return status === wanted.state && (description ?? "") === wanted.description && target_url === wanted.target_url;
}

async function post(api: RestApi, commit: CommitRef, wanted: Wanted): Promise<void> {
  try {
    await api.post(`${routeOf(commit.repo)}${path`/statuses/${commit.sha}`}`, wanted);
  } catch (error) {
    if (!(error instanceof TransientError && error.code === "gitea-unavailable")) throw error;
    // A redirected POST cannot be followed. Nobody has told us that the repo has another name.
    const repo = await newNameOf(api, commit.repo);
    if (repo !== null) return post(api, { ...commit, repo }, wanted);
    // Gitea answers 500 for a commit that it does not have.
    if (await isGone(api, commit)) throw commitGone(commit);
    throw error;
  }
}

function refusal({ status, message }: Declined, { repo, sha }: CommitRef, context: string): Refused {
  const where = `the status '${context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
  if (status === 403 || status === 404) {
    return new Refused(
      "gitea-status-forbidden",
      `Gitea does not let us set ${where} (${status}, ${message}): check that the token of host '${repo.host}' has the ` +
        "scope 'write:repository', and that its owner may write to the repo.",
    );
  }
  return new Refused("gitea-status-refused", `Gitea refuses ${where} (${status}): ${message}`);
}
