import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initBare } from "../git.ts";

export type StatusState = "pending" | "success" | "error" | "failure" | "warning" | "skipped";

/** One row. A context that is reported again gets another one. */
export interface StatusRow {
  /** Rises within the commit. */
  index: number;
  sha: string;
  state: string;
  context: string;
  description: string;
  targetUrl: string;
  /** A user. Null: Gitea's own Actions, which the API does not name. */
  creator: string | null;
  createdAt: string;
}

export interface Hook {
  id: number;
  url: string;
  secret: string;
  contentType: string;
  active: boolean;
  events: Set<string>;
  branchFilter: string;
  authorization: string;
}

export interface Repo {
  id: number;
  owner: string;
  name: string;
  defaultBranch: string;
  directory: string;
  statuses: StatusRow[];
  hooks: Hook[];
  /** By branch, the globs of contexts that are required. */
  protection: Map<string, { enabled: boolean; contexts: string[] }>;
  /** By full ref, what webhooks have told. */
  announced: Map<string, string>;
  /** By login. */
  permissions: Map<string, "read" | "write" | "admin" | "owner">;
}

export class GiteaState {
  readonly root: string;
  readonly token: string;
  readonly repos: Repo[] = [];
  /** By a former `owner/name`, the repo's id. */
  readonly moved = new Map<string, number>();
  readonly users = new Set(["ada", "ci-bot"]);
  readonly organisationHooks = new Map<string, Hook[]>();
  #lastId = 0;

  private constructor(root: string, token: string) {
    this.root = root;
    this.token = token;
  }

  static async open(token: string): Promise<GiteaState> {
    return new GiteaState(await mkdtemp(join(tmpdir(), "dd-gitea-")), token);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  /** Whole seconds, as Gitea keeps times. */
  now(): string {
    return `${new Date().toISOString().slice(0, 19)}Z`;
  }

  async createRepo(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Repo> {
    const id = this.nextId();
    const directory = join(this.root, `${id}.git`);
    const repo: Repo = {
      ...{ id, directory, owner: wanted.owner, name: wanted.name, defaultBranch: wanted.defaultBranch ?? "main" },
      ...{ statuses: [], hooks: [], protection: new Map(), announced: new Map() },
      permissions: new Map([["ada", "owner"]]),
    };
    await initBare(directory, repo.defaultBranch);
    this.repos.push(repo);
    return repo;
  }

  /** Upper and lower case are the same. */
  find(owner: string, name: string): Repo | undefined {
    const wanted = `${owner}/${name}`.toLowerCase();
    return this.repos.find((one) => pathOf(one).toLowerCase() === wanted);
  }

  byId(id: number): Repo | undefined {
    return this.repos.find((one) => one.id === id);
  }

  get({ owner, name }: { owner: string; name: string }): Repo {
    const found = this.find(owner, name);
    if (found === undefined) throw new Error(`the Gitea stand-in has no ${owner}/${name}`);
    return found;
  }

  rename(repo: Repo, to: string): void {
    this.moved.set(pathOf(repo), repo.id);
    repo.name = to;
    this.moved.delete(pathOf(repo));
  }

  isOrganisation(name: string): boolean {
    return !this.users.has(name) && this.repos.some(({ owner }) => owner === name);
  }

  addStatus(repo: Repo, row: Omit<StatusRow, "index" | "createdAt">): StatusRow {
    const index = 1 + repo.statuses.filter(({ sha }) => sha === row.sha).length;
    const added = { ...row, index, createdAt: this.now() };
    repo.statuses.push(added);
    return added;
  }
}

export function pathOf({ owner, name }: { owner: string; name: string }): string {
  return `${owner}/${name}`;
}
