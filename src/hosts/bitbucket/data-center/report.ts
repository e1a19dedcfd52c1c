import { oneLine } from "../../../delivery/commit-status.ts";
import { Refused } from "../../../delivery/errors.ts";
import type { CommitRef } from "../../../delivery/types.ts";
import type { Report } from "../../host.ts";
import type { RestApi } from "../../rest/client.ts";
import { Declined } from "../../rest/failure.ts";
import { wordOf } from "../states.ts";
import { commitRoute } from "./payload.ts";

/**
 * Sets the build of the commit in this repo: Bitbucket overwrites the one with the same key. The older route, without
 * the repo, would overwrite it for every fork that has the commit. @throws TransientError, Refused
 */
export async function postBuild(api: RestApi, commit: CommitRef, report: Report): Promise<void> {
  const { repo, sha } = commit;
  try {
    await api.post(`${commitRoute(commit)}/builds`, {
      key: report.context,
      name: report.context,
      state: wordOf(report.state, "CANCELLED"),
      url: report.targetUrl,
      description: oneLine(report.description),
    });
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    const { status, message } = error;
    const where = `the build '${report.context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
    if (status === 403) {
      throw new Refused(
        "bitbucket-status-forbidden",
        `Bitbucket does not let us set ${where} (${message}): check that the token of host '${repo.host}' has the ` +
          "right 'Repository read'.",
      );
    }
    throw new Refused("bitbucket-status-refused", `Bitbucket refuses ${where} (${status}): ${message}`);
  }
}
