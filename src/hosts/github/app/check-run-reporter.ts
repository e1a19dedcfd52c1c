import * as z from "zod";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import { Refused } from "../../../delivery/errors.ts";
import type { CommitRef } from "../../../delivery/types.ts";
import type { Report, ReportHistory } from "../../host.ts";
import { Declined, type GitHubApi } from "../api.ts";
import { readAnswer } from "../payload.ts";
import type { AppAccess } from "./app-access.ts";
import { bodyOf, MAX_ANNOTATIONS, outputOf, type WantedRun, wantedRun } from "./check-run.ts";

const MAX_KNOWN = 10_000;

const listedRun = z
  .object({
    id: z.number(),
    external_id: z.string().nullish(),
    status: z.string(),
    conclusion: z.string().nullish(),
    output: z.object({ annotations_count: z.number().nullish() }).nullish(),
  })
  .transform((run) => ({
    id: run.id,
    externalId: run.external_id ?? "",
    conclusion: run.status === "completed" ? (run.conclusion ?? "") : null,
    annotations: run.output?.annotations_count ?? 0,
  }));

/** What is known of our newest check run of an artifact. */
type KnownRun = z.output<typeof listedRun>;

/**
 * Shows reports as check runs. A run that has ended stays as it is: what comes after it, such as a retry, is a new run of
 * the same name, and the newest counts. Nothing is sent twice by itself, because GitHub would add a second run, or the
 * same annotations again: after a failure the next report looks first what is there.
 */
export class CheckRunReporter {
  readonly #access: AppAccess;
  /** By repo, commit and context. What an unanswered request may have changed is forgotten. */
  readonly #known = new BoundedCache<KnownRun>(MAX_KNOWN);

  constructor(access: AppAccess) {
    this.#access = access;
  }

  /** @throws TransientError, Refused */
  async report(commit: CommitRef, report: Report, history?: ReportHistory): Promise<void> {
    const wanted = wantedRun(report);
    const api = this.#access.ofRepo(commit.repo);
    const key = JSON.stringify([commit.repo.id, commit.sha, report.context.toLowerCase()]);
    const remembered = history?.isRepeat === false ? this.#known.get(key) : undefined;
    this.#known.delete(key);
    // Nothing was ever sent: there is nothing to find.
    const isFirst = history?.isRepeat === false && history.last === null;
    try {
      const before = remembered ?? (isFirst ? null : await this.#find(api, commit, wanted));
      const sent = send(api, commit, wanted, before).catch(async (error: unknown) => {
        // GitHub deletes the oldest of more than 1,000 runs of a name.
        const isGone = remembered !== undefined && error instanceof Declined && error.status === 404;
        if (!isGone) throw error;
        return send(api, commit, wanted, await this.#find(api, commit, wanted));
      });
      this.#known.set(key, await sent);
    } catch (error) {
      throw error instanceof Declined ? refusal(error, commit, report.context) : error;
    }
  }

  /** Our newest run of this artifact. GitHub may have runs of the App that another server made. */
  async #find(api: GitHubApi, { repo, sha }: CommitRef, { name, subject }: WantedRun): Promise<KnownRun | null> {
    const items = await api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", {
      ...{ owner: repo.owner, repo: repo.name, ref: sha },
      ...{ check_name: name, app_id: this.#access.appId, filter: "latest" },
    });
    const own = readAnswer("a check run", listedRun, items).filter((run) => subjectOf(run) === subject);
    return own.toSorted((a, b) => b.id - a.id)[0] ?? null;
  }
}

async function send(
  api: GitHubApi,
  { repo, sha }: CommitRef,
  wanted: WantedRun,
  before: KnownRun | null,
): Promise<KnownRun> {
  const at = { owner: repo.owner, repo: repo.name };
  const target = before !== null && isSameRun(before, wanted) ? before : null;
  // What was sent of these very annotations before a crash is there already.
  const sent = target?.externalId === wanted.externalId ? target.annotations : 0;
  const left = wanted.annotations.slice(sent);
  const body = bodyOf(wanted, left.slice(0, MAX_ANNOTATIONS));
  const id =
    target === null
      ? await create(api, { ...at, head_sha: sha, ...body })
      : await update(api, { ...at, check_run_id: target.id, ...body }, target.id);
  for (let from = MAX_ANNOTATIONS; from < left.length; from += MAX_ANNOTATIONS) {
    const output = outputOf(wanted, left.slice(from, from + MAX_ANNOTATIONS));
    await update(api, { ...at, check_run_id: id, output }, id);
  }
  const { externalId, conclusion, annotations } = wanted;
  return { id, externalId, conclusion, annotations: annotations.length };
}

/** Whether the report is about the run that is there, and not about one after it. */
function isSameRun(before: KnownRun, wanted: WantedRun): boolean {
  if (before.annotations > 0 && before.externalId !== wanted.externalId) return false;
  return before.conclusion === null || before.conclusion === wanted.conclusion;
}

async function create(api: GitHubApi, parameters: Record<string, unknown>): Promise<number> {
  const answer = await api.sendOnce("POST /repos/{owner}/{repo}/check-runs", parameters);
  const [made] = readAnswer("a check run", z.object({ id: z.number() }), [answer]);
  return made?.id ?? 0;
}

async function update(api: GitHubApi, parameters: Record<string, unknown>, id: number): Promise<number> {
  await api.sendOnce("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", parameters);
  return id;
}

function subjectOf({ externalId }: KnownRun): string {
  return externalId.split("#", 1)[0] ?? "";
}

function refusal({ status, message }: Declined, { repo, sha }: CommitRef, context: string): Refused {
  const where = `the check '${context}' on ${repo.owner}/${repo.name}@${sha.slice(0, 7)}`;
  if (status === 403 || status === 404) {
    return new Refused(
      "github-check-forbidden",
      `GitHub does not let the App of hosts.${repo.host} set ${where} (${status}, ${message}): give the App the permission ` +
        `'Checks: read and write' on its page on GitHub, and let an owner of ${repo.owner} accept it.`,
    );
  }
  return new Refused("github-check-refused", `GitHub refuses ${where} (${status}): ${message}`);
}
