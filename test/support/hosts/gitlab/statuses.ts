import { git } from "../git.ts";
import { type Answer, refusal } from "./answer.ts";
import { type GitLabState, type Job, type JobStatus, moveTo, type Pipeline, type Project } from "./state.ts";

/** The words that a status may be posted with. */
const POSTABLE: JobStatus[] = ["pending", "running", "success", "failed", "canceled", "skipped"];
const KEYS = ["state", "name", "context", "ref", "pipeline_id", "target_url", "description", "coverage"];
const MAX_TEXT = 255;

/** From where a posted state can be reached. Everything unfinished can end. */
const REACHED_FROM: Partial<Record<JobStatus, [event: string, from: JobStatus[]]>> = {
  pending: ["enqueue", ["created"]],
  running: ["run", ["created", "pending"]],
};

/** Commits that a status is being written for: GitLab has a lock for each. */
export type Locks = Set<string>;

/** `POST /projects/:id/statuses/:sha`, with the traps that GitLab is known for. */
export async function postStatus(
  state: GitLabState,
  locks: Locks,
  project: Project,
  sha: string,
  body: Record<string, unknown>,
  token: string,
): Promise<Answer & { pipeline?: Pipeline; job?: Job }> {
  const wrong = Object.keys(body).find((key) => !KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, `${wrong} is invalid`), violation: `a status with '${wrong}'` };
  const wanted = POSTABLE.find((word) => word === body.state);
  if (wanted === undefined) return refusal(400, "state does not have a valid value");
  for (const key of ["target_url", "description"]) {
    if (String(body[key] ?? "").length > MAX_TEXT)
      return refusal(400, { [key]: ["is too long (maximum is 255 characters)"] });
  }
  const lock = `${project.id}@${sha}`;
  if (locks.has(lock)) return refusal(409, "Another update to this commit status is in progress");
  locks.add(lock);
  try {
    return await write(state, project, sha, { ...body, state: wanted }, token);
  } finally {
    locks.delete(lock);
  }
}

async function write(
  state: GitLabState,
  project: Project,
  sha: string,
  body: Record<string, unknown> & { state: JobStatus },
  token: string,
) {
  if (!(await hasCommit(project, sha))) return refusal(404, "404 Commit Not Found");
  const ref = typeof body.ref === "string" ? body.ref : await branchWith(project, sha);
  if (ref === null && body.pipeline_id === undefined) return refusal(404, "404 References for commit Not Found");
  if (project.isProtected) return refusal(403, "403 Forbidden");
  const ofSha = project.pipelines.filter((one) => one.sha === sha && (body.ref === undefined || one.ref === ref));
  const chosen =
    body.pipeline_id === undefined ? ofSha.at(-1) : ofSha.find(({ id }) => id === Number(body.pipeline_id));
  if (body.pipeline_id !== undefined && chosen === undefined) {
    return refusal(404, "404 Pipeline for pipeline_id, sha and ref Not Found");
  }
  const name = String(body.name ?? body.context ?? "default");
  const pipeline = chosen ?? state.addPipeline(project, sha, { ref: ref ?? "", source: "external" });
  const open = pipeline.jobs.find(
    (job) =>
      job.isExternal && job.name === name && job.by === token && ["created", "pending", "running"].includes(job.status),
  );
  const from = open?.status ?? "created";
  const [event, allowed] = REACHED_FROM[body.state] ?? ["", null];
  if (allowed !== null && !allowed.includes(from)) {
    return refusal(
      400,
      `Cannot transition status via :${event} from :${from} (Reason(s): Status cannot transition via "${event}")`,
    );
  }
  const job = open ?? state.addJob(pipeline, name, { isExternal: true, by: token });
  job.targetUrl = typeof body.target_url === "string" ? body.target_url : null;
  job.description = typeof body.description === "string" ? body.description : null;
  moveTo(job, body.state, state.now());
  return { status: 201, body: { id: job.id, sha, ref: pipeline.ref, status: job.status, name }, pipeline, job };
}

export async function hasCommit({ directory }: Project, sha: string): Promise<boolean> {
  return git(directory, ["cat-file", "-e", `${sha}^{commit}`]).then(
    () => true,
    () => false,
  );
}

async function branchWith({ directory }: Project, sha: string): Promise<string | null> {
  const [first] = await refsWith(directory, sha, "refs/heads");
  return first ?? null;
}

/** Short names of the branches or tags that hold the commit. */
export async function refsWith(directory: string, sha: string, under: string): Promise<string[]> {
  const found = await git(directory, ["for-each-ref", `--contains=${sha}`, "--format=%(refname:lstrip=2)", under]);
  return found.split("\n").filter((line) => line !== "");
}
