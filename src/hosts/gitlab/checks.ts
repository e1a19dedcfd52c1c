import { settleAll } from "../../async/settle-all.ts";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Check, CommitRef, Gate } from "../../delivery/types.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { checksOfJobs, type Job, readJobs } from "./jobs.ts";
import { projectId } from "./payload.ts";
import { checksOfPipelines, type Pipeline, readPipelines } from "./pipelines.ts";

/** What `ci.apps` calls GitLab's own CI: its jobs come from runners, and nobody can post one. */
const GITLAB_CI = "gitlab-ci";

/** The checks at exactly this sha. @throws TransientError, Refused if the commit is gone */
export async function readChecks(api: RestApi, commit: CommitRef, gate: Gate): Promise<Check[]> {
  try {
    return gate.apps === null ? await everyCheck(api, commit) : await checksOfRunners(api, commit);
  } catch (error) {
    throw error instanceof Declined ? unreadable(error, commit) : error;
  }
}

/** Jobs and posted statuses: GitLab lists them together. */
async function everyCheck(api: RestApi, { repo, sha }: CommitRef): Promise<Check[]> {
  const id = projectId(repo);
  const [statuses, pipelines] = await settleAll([
    api.list(path`/projects/${id}/repository/commits/${sha}/statuses`),
    pipelinesOf(api, id, sha),
  ]);
  const jobs = readJobs(statuses);
  return [...checksOfJobs(jobs, null), ...checksOfPipelines(pipelines, jobs, null)];
}

/**
 * Jobs of runners only. A status that somebody posts under a job's name hides the job as if it were its re-run, so the
 * jobs that were re-run are read too, and the newest of each name counts.
 */
async function checksOfRunners(api: RestApi, { repo, sha }: CommitRef): Promise<Check[]> {
  const id = projectId(repo);
  const pipelines = await pipelinesOf(api, id, sha);
  const lists = await settleAll(
    pipelines.flatMap((pipeline) => {
      const query = { include_retried: true };
      return [
        api.list(path`/projects/${id}/pipelines/${pipeline.id}/jobs`, query),
        api.list(path`/projects/${id}/pipelines/${pipeline.id}/bridges`),
      ];
    }),
  );
  const jobs: Job[] = lists.flatMap(readJobs);
  return [...checksOfJobs(jobs, GITLAB_CI), ...checksOfPipelines(pipelines, jobs, GITLAB_CI)];
}

async function pipelinesOf(api: RestApi, id: string, sha: string): Promise<Pipeline[]> {
  return readPipelines(await api.list(path`/projects/${id}/pipelines`, { sha }));
}

function unreadable({ status, message }: Declined, { repo, sha }: CommitRef): Error {
  if (status === 404 && /^(?:404 )?commit not found/i.test(message)) {
    return new Refused("commit-gone", `GitLab has no commit ${sha} in ${repo.owner}/${repo.name}: ${message}`);
  }
  return new TransientError(
    "gitlab-ci-unreadable",
    `GitLab does not show the pipelines of ${repo.owner}/${repo.name} (${status}, ${message}): check that the token of ` +
      `host '${repo.host}' has the scope 'read_api' or 'api', and that its owner may see the project's pipelines.`,
  );
}
