import { createHash } from "node:crypto";
import { oneLine } from "../../../delivery/commit-status.ts";
import { Refused } from "../../../delivery/errors.ts";
import type { CommitRef } from "../../../delivery/types.ts";
import type { Report } from "../../host.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { Declined } from "../../rest/failure.ts";
import { wordOf } from "../states.ts";
import { routeOf } from "./payload.ts";

/** Sets the build status: Bitbucket overwrites the one with the same key. @throws TransientError, Refused */
export async function postStatus(api: RestApi, { repo, sha }: CommitRef, report: Report): Promise<void> {
  try {
    await api.post(`${routeOf(repo)}${path`/commit/${sha}/statuses/build`}`, {
      key: keyOf(report.context),
      name: report.context,
      state: wordOf(report.state, "STOPPED"),
      url: report.targetUrl,
      description: oneLine(report.description),
    });
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    const { status, message } = error;
    const where = `the status '${report.context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
    if (status === 403) {
      throw new Refused(
        "bitbucket-status-forbidden",
        `Bitbucket does not let us set ${where} (${status}, ${message}): check that the token of host '${repo.host}' ` +
          "may write to the repo (scope 'repository:write').",
      );
    }
    throw new Refused("bitbucket-status-refused", `Bitbucket refuses ${where} (${status}): ${message}`);
  }
}

/** Bitbucket refuses a longer key. */
const MAX_KEY_LENGTH = 40;
/** Hex digits of a hash, which make two keys differ. */
const HASH_LENGTH = 20;

/**
 * The key of a context, which may be longer. A long one is cut, and a hash of the whole follows. No context holds `~`,
 * so it is the key of no other one.
 */
export function keyOf(context: string): string {
  if (context.length <= MAX_KEY_LENGTH) return context;
  const hash = createHash("sha256").update(context).digest("hex").slice(0, HASH_LENGTH);
  return `${context.slice(0, MAX_KEY_LENGTH - HASH_LENGTH - 1)}~${hash}`;
}
