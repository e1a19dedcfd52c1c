import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initBare } from "../git.ts";

/** Every state of a job that GitLab documents. */
export type JobStatus =
  | "created"
  | "waiting_for_resource"
  | "preparing"
  | "waiting_for_callback"
  | "pending"
  | "running"
  | "success"
  | "failed"
  | "canceling"
  | "canceled"
  | "skipped"
  | "manual"
  | "scheduled";

export interface Job {
  id: number;
  name: string;
  status: JobStatus;
  allowFailure: boolean;
  /** Somebody posted it; no runner runs it. */
  isExternal: boolean;
  /** The token that posted it. */
  by: string | null;
  /** A newer job has its place. */
  isRetried: boolean;
  targetUrl: string | null;
  description: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface Pipeline {
  id: number;
  sha: string;
  /** Short, or `refs/merge-requests/1/head`. */
  ref: string;
  source: string;
  jobs: Job[];
  /** For a pipeline without jobs, as where its file has an error. */
  status: JobStatus | null;
  createdAt: string;
}

export interface Hook {
  id: number;
  url: string;
  token: string | null;
  signingToken: string | null;
  events: Set<string>;
  verifiesTls: boolean;
  branchFilter: string;
  template: string;
  /** Failures in a row. */
  failures: number;
  alertStatus: "executable" | "temporarily_disabled" | "disabled";
  sent: HookEvent[];
}

export interface HookEvent {
  id: number;
  trigger: string;
  /** Null: no answer. */
  status: number | null;
  answer: string;
  createdAt: string;
}

export interface Project {
  id: number;
  /** The path of its group. */
  owner: string;
  name: string;
  defaultBranch: string;
  directory: string;
  pipelines: Pipeline[];
  hooks: Hook[];
  /** By full ref, what webhooks have told. */
  announced: Map<string, string>;
  /** Nobody may post statuses here. */
  isProtected: boolean;
}

export class GitLabState {
  readonly root: string;
  readonly projects: Project[] = [];
  /** By a former path, the project's id. */
  readonly moved = new Map<string, number>();
  readonly users = new Set<string>();
  readonly groupHooks = new Map<string, Hook[]>();
  readonly token: string;
  #lastId = 1000;

  private constructor(root: string, token: string) {
    this.root = root;
    this.token = token;
  }

  static async open(token: string): Promise<GitLabState> {
    return new GitLabState(await mkdtemp(join(tmpdir(), "dd-gitlab-")), token);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  now(): string {
    return new Date().toISOString();
  }

  async createProject(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Project> {
    const id = this.nextId();
    const directory = join(this.root, `${id}.git`);
    const project: Project = {
      ...{ id, directory, owner: wanted.owner, name: wanted.name, defaultBranch: wanted.defaultBranch ?? "main" },
      ...{ pipelines: [], hooks: [], announced: new Map(), isProtected: false },
    };
    await initBare(directory, project.defaultBranch);
    this.projects.push(project);
    return project;
  }

  /** By id or by a current path. */
  find(idOrPath: string): Project | undefined {
    return this.projects.find((one) => String(one.id) === idOrPath || pathOf(one) === idOrPath);
  }

  get(name: { owner: string; name: string }): Project {
    const found = this.find(pathOf(name));
    if (found === undefined) throw new Error(`the GitLab stand-in has no ${pathOf(name)}`);
    return found;
  }

  rename(project: Project, to: string): void {
    this.moved.set(pathOf(project), project.id);
    project.name = to;
    this.moved.delete(pathOf(project));
  }

  addPipeline(project: Project, sha: string, more: Partial<Pipeline> = {}): Pipeline {
    const pipeline: Pipeline = {
      ...{ id: this.nextId(), sha, ref: project.defaultBranch, source: "push", jobs: [], status: null },
      createdAt: this.now(),
      ...more,
    };
    project.pipelines.push(pipeline);
    return pipeline;
  }

  /** A new job takes the place of those of its name. */
  addJob(pipeline: Pipeline, name: string, more: Partial<Job> = {}): Job {
    for (const job of pipeline.jobs) if (job.name === name) job.isRetried = true;
    const job: Job = {
      ...{ id: this.nextId(), name, status: "created", allowFailure: false, isExternal: false, by: null },
      ...{ isRetried: false, targetUrl: null, description: null, createdAt: this.now() },
      ...{ startedAt: null, finishedAt: null },
      ...more,
    };
    pipeline.jobs.push(job);
    return job;
  }
}

export function pathOf({ owner, name }: { owner: string; name: string }): string {
  return `${owner}/${name}`;
}

export function isFinished(status: JobStatus): boolean {
  return ["success", "failed", "canceled", "skipped"].includes(status);
}

/** Moves a job on, with its times. */
export function moveTo(job: Job, status: JobStatus, now: string): void {
  job.status = status;
  if (status === "running") job.startedAt = now;
  job.finishedAt = isFinished(status) ? now : null;
}

/** A pipeline's own state: the worst of its jobs, those that were retried left out. */
export function statusOf(pipeline: Pipeline): JobStatus {
  const jobs = pipeline.jobs.filter((job) => !job.isRetried);
  if (jobs.length === 0) return pipeline.status ?? "created";
  const has = (...words: JobStatus[]) => jobs.some(({ status }) => words.includes(status));
  if (has("running", "pending", "created", "preparing", "waiting_for_resource", "waiting_for_callback"))
    return "running";
  if (jobs.some(({ status, allowFailure }) => status === "manual" && !allowFailure)) return "manual";
  if (jobs.some(({ status, allowFailure }) => status === "failed" && !allowFailure)) return "failed";
  if (has("canceled")) return "canceled";
  return jobs.every(({ status }) => status === "skipped") ? "skipped" : "success";
}
