import * as z from "zod";
import { BoundedCache } from "../../async/bounded-cache.ts";
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import { oneLine } from "../../delivery/commit-status.ts";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { CommitRef } from "../../delivery/types.ts";
import type { Report, ReportHistory } from "../host.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { type Job, pipelineOf, readJobs } from "./jobs.ts";
import { projectId, readAnswer } from "./payload.ts";
import { stateOf } from "./states.ts";

/**
 * On GitLab a commit status is a job in a pipeline, and a finished job that is posted again is one more job. So each
 * report is compared with what GitLab shows, and an unfinished job is finished where it is.
 * https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
 */
export class StatusReporter {
  readonly #api: RestApi;
  /** Statuses that are posted at the same time to one commit have made several pipelines of them. */
  readonly #oneAtATime = new KeyedMutex();
  /** Where this process has begun a job that it has not finished: then GitLab need not be asked. */
  readonly #begun = new BoundedCache<Place>(MAX_BEGUN);

  constructor(api: RestApi) {
    this.#api = api;
  }

  /** @throws TransientError, Refused */
  async report(commit: CommitRef, report: Report, history?: ReportHistory): Promise<void> {
    // A job that waits would keep the pipeline running, for days where CI is red.
    if (report.state === "pending" && report.details?.stage === "waiting") return;
    const at = `${commit.repo.id}@${commit.sha}`;
    const job = `${at} ${report.context}`;
    await this.#oneAtATime.run(at, async () => {
      const begun = history?.isRepeat ? undefined : this.#begun.get(job);
      if (begun !== undefined && report.state === "pending") return;
      this.#begun.delete(job);
      const place = await this.#post(commit, report, begun);
      if (place !== null && report.state === "pending") this.#begun.set(job, place);
    });
  }

  /** @returns where it was posted. Null: nothing was, because GitLab shows it already */
  async #post(commit: CommitRef, report: Report, begun: Place | undefined): Promise<Place | null> {
    const wanted = statusOf(report);
    try {
      const place = begun ?? (await this.#placeFor(commit, wanted));
      return place === null ? null : await this.#postTo(commit, wanted, place);
    } catch (error) {
      if (error instanceof Declined) throw refusal(error, commit, report.context);
      throw error;
    }
  }

  /** The pipeline of our unfinished job, or else the newest one. Null: GitLab shows the status already. */
  async #placeFor(commit: CommitRef, wanted: Wanted): Promise<Place | null> {
    const own = await this.#ownJobs(commit, wanted.name);
    const [newest] = own;
    if (newest !== undefined && shows(newest, wanted)) return null;
    const open = own.find(({ status }) => stateOf(status) === "pending");
    return open === undefined ? this.#newestPipeline(commit) : placeOfJob(open);
  }

  /** Ours under this context, the newest first. */
  async #ownJobs({ repo, sha }: CommitRef, name: string): Promise<Job[]> {
    const route = path`/projects/${projectId(repo)}/repository/commits/${sha}/statuses`;
    const jobs = readJobs(await this.#api.list(route, { name }));
    return jobs.filter((job) => job.name === name).toSorted((a, b) => b.id - a.id);
  }

  /** Without a pipeline of the commit GitLab makes one. */
  async #newestPipeline({ repo, sha }: CommitRef): Promise<Place> {
    const answer = await this.#api.get(path`/projects/${projectId(repo)}/repository/commits/${sha}`);
    const [found] = readAnswer("a commit", commitShape, [answer]);
    return found?.last_pipeline == null ? {} : { pipeline_id: found.last_pipeline.id };
  }

  async #postTo(commit: CommitRef, wanted: Wanted, place: Place): Promise<Place> {
    const route = path`/projects/${projectId(commit.repo)}/statuses/${commit.sha}`;
    try {
      await this.#api.post(route, { ...wanted, ...place });
      return place;
    } catch (error) {
      if (!(error instanceof Declined)) throw error;
      // The job has this state, or one that comes after it.
      if (error.status === 400 && /cannot transition/i.test(error.message)) return place;
      const other = error.status === 404 ? await this.#otherPlace(commit, place) : null;
      if (other === null) throw error;
      return this.#postTo(commit, wanted, other);
    }
  }

  /** Where else a status can go: the pipeline may be gone, and a commit on no branch needs the name of its tag. */
  async #otherPlace({ repo, sha }: CommitRef, place: Place): Promise<Place | null> {
    if (place.ref !== undefined && place.pipeline_id === undefined) return null;
    const refs = readAnswer(
      "a ref",
      refShape,
      await this.#api.list(path`/projects/${projectId(repo)}/repository/commits/${sha}/refs`),
    );
    const [first] = refs;
    return first === undefined ? null : { ref: first.name };
  }
}

/** Which pipeline a status belongs to. Empty: GitLab decides. */
interface Place {
  pipeline_id?: number;
  ref?: string;
}

interface Wanted {
  state: "running" | "success" | "failed";
  name: string;
  description: string;
  target_url?: string;
}

/** Jobs whose place is remembered. */
const MAX_BEGUN = 1_000;

const STATES = { pending: "running", success: "success", failure: "failed", error: "failed" } as const;

/** GitLab refuses a longer address. */
const MAX_URL_LENGTH = 255;

const commitShape = z.object({ last_pipeline: z.object({ id: z.number() }).nullish() });
const refShape = z.object({ name: z.string() });

function statusOf({ context, state, description, targetUrl }: Report): Wanted {
  return {
    state: STATES[state],
    name: context,
    description: oneLine(description),
    ...(targetUrl.length > MAX_URL_LENGTH ? {} : { target_url: targetUrl }),
  };
}

/** A running job shows it in whatever words: GitLab does not take others for it. */
function shows(job: Job, { state, description, target_url }: Wanted): boolean {
  if (job.status !== state) return false;
  return state === "running" || (job.description === description && (job.target_url ?? undefined) === target_url);
}

function placeOfJob(job: Job): Place {
  const pipeline = pipelineOf(job);
  if (pipeline !== null) return { pipeline_id: pipeline };
  return job.ref == null ? {} : { ref: job.ref };
}

/** ms. GitLab holds its lock on a commit for a moment. */
const BUSY_WAIT_MS = 2_000;

function refusal({ status, message }: Declined, { repo, sha }: CommitRef, context: string): Error {
  const where = `the status '${context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
  if (status === 409) {
    return new TransientError(
      "gitlab-status-busy",
      `GitLab is busy with another status, and does not take ${where}: ${message}`,
      {
        retryAfter: BUSY_WAIT_MS,
      },
    );
  }
  if (status === 403) {
    return new Refused(
      "gitlab-status-forbidden",
      `GitLab does not let us set ${where} (${status}, ${message}): check that the token of host '${repo.host}' has the ` +
        "scope 'api' and the role Developer or higher, and that it may merge or push to the branch if that is protected.",
    );
  }
  return new Refused("gitlab-status-refused", `GitLab refuses ${where} (${status}): ${message}`);
}
