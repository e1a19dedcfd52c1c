import { oneLine } from "../../delivery/commit-status.ts";
import { Refused } from "../../delivery/errors.ts";
import type { CommitRef } from "../../delivery/types.ts";
import type { Report } from "../host.ts";
import { Declined, type GitHubApi } from "./api.ts";

/** Sets the commit status. @throws TransientError, Refused. */
export async function postStatus(api: GitHubApi, { repo, sha }: CommitRef, report: Report): Promise<void> {
  try {
    await api.post("POST /repos/{owner}/{repo}/statuses/{sha}", {
      owner: repo.owner,
      repo: repo.name,
      sha,
      state: report.state,
      context: report.context,
      description: oneLine(report.description),
      target_url: report.targetUrl,
    });
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    const where = `the status '${report.context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
    if (error.status === 403 || error.status === 404) {
      throw new Refused(
        "github-status-forbidden",
        `GitHub does not let us set ${where} (${error.status}, ${error.message}): check that the token of host ` +
          `'${repo.host}' reaches this repo and has the right 'repo:status' (a fine-grained token: 'Commit statuses: write').`,
      );
    }
    throw new Refused("github-status-refused", `GitHub refuses ${where} (${error.status}): ${error.message}`);
  }
}
