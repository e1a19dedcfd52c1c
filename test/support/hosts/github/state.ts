import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { initBare } from "../git.ts";
import type { Credentials, Lookup } from "../git-server.ts";
import { AppHouse, type AppToken } from "./app.ts";
import type { JsonObject } from "./json.ts";

export interface NewRepo {
  owner: string;
  name: string;
  id?: number;
  defaultBranch?: string;
  /** Left out: true. An open repo can be cloned without credentials. */
  private?: boolean;
  /** The only token that is shown this repo. Left out: every token the stand-in knows. */
  token?: string;
  ownerType?: "Organization" | "User";
}

export type StatusState = "error" | "failure" | "pending" | "success";
export type RunStatus = "queued" | "in_progress" | "completed" | "waiting" | "requested" | "pending";
export type RunConclusion =
  | "success"
  | "failure"
  | "neutral"
  | "cancelled"
  | "skipped"
  | "timed_out"
  | "action_required";
/** A suite has two words more than a run: GitHub's description allows them there alone. */
export type SuiteConclusion = RunConclusion | "startup_failure" | "stale";

export interface Status {
  id: number;
  state: StatusState;
  context: string;
  description: string | null;
  targetUrl: string | null;
  createdAt: string;
  /** The app whose bot set it; null: a person. */
  by: App | null;
}

export interface CheckRun {
  id: number;
  name: string;
  status: RunStatus;
  conclusion: RunConclusion | null;
  app: App;
  suiteId: number;
  startedAt: string;
  completedAt: string | null;
  /** What an App says in it. Left out: the test made the run. */
  shown?: Shown;
}

export interface Shown {
  externalId: string;
  detailsUrl: string | null;
  title: string | null;
  summary: string | null;
  annotations: JsonObject[];
  actions: JsonObject[];
  /** Status, conclusion and title as each request set them, oldest first. */
  updates: string[];
}

export interface CheckSuite {
  id: number;
  app: App;
  /** The branch or tag whose push it was made for. */
  branch: string;
  /** What it says while it has no runs. */
  status: RunStatus;
  conclusion: SuiteConclusion | null;
  createdAt: string;
}

export interface App {
  id: number;
  slug: string;
}

export interface Protection {
  required: { context: string; appId: number | null }[];
  /** Classic branch protection, or a ruleset. */
  via: "protection" | "rules";
  /** Rules of a ruleset beside that of required checks, as GitHub's API spells them. */
  also: JsonObject[];
  /** False: both calls are answered 403, as for a token without the right to see them. */
  tells: boolean;
}

/** What is known of one commit's CI. */
export interface CommitChecks {
  statuses: Status[];
  runs: CheckRun[];
  suites: CheckSuite[];
}

/** One webhook request that GitHub sent for a hook, as its API tells it. */
export interface SentHook {
  id: number;
  guid: string;
  at: string;
  event: string;
  action: string | null;
  /** 0: nobody answered. */
  status: number;
  answer: string;
  payload?: JsonObject;
}

/** A webhook of a repo. */
export interface Hook {
  readonly id: number;
  active: boolean;
  events: string[];
  config: { url: string; contentType: "json" | "form"; secret: string | null; insecureSsl: "0" | "1" };
  readonly createdAt: string;
  updatedAt: string;
  /** Oldest first. */
  readonly sent: SentHook[];
}

export interface Repo {
  readonly id: number;
  owner: string;
  name: string;
  readonly defaultBranch: string;
  readonly private: boolean;
  readonly ownerType: "Organization" | "User";
  readonly token: string | null;
  /** The bare repo on disk. */
  directory: string;
  readonly commits: Map<string, CommitChecks>;
  readonly protections: Map<string, Protection>;
  /** Refs as the last push webhook told them. */
  readonly announced: Map<string, string>;
  readonly hooks: Hook[];
  /** What people may do, by their login in lower case. */
  readonly collaborators: Map<string, "admin" | "write" | "read" | "none">;
}

/** What a token may do with webhooks. Left out: all. */
export interface HookRights {
  ofRepos: "none" | "read" | "write";
  ofOrganisations: "none" | "read";
  /** 404, as to a classic token without the scope; 403, as to a fine-grained one. */
  answer: 403 | 404;
}

export type RepoName = { owner: string; name: string };

/** GitHub Actions, which most checks come from. */
export const actions: App = { id: 15368, slug: "github-actions" };

/** All that the stand-in knows. What git knows (refs, commits) it asks git. */
export class State {
  readonly tokens: Set<string>;
  readonly root: string;
  /** Webhooks of organisations, by the organisation's name in lower case. */
  readonly organisationHooks = new Map<string, Hook[]>();
  /** The webhook that every organisation has. */
  everywhere: Hook | null = null;
  /** Tokens that may not manage webhooks, or see those of organisations, with what GitHub answers them. */
  readonly hookRights = new Map<string, HookRights>();
  /** The GitHub App, and where it is installed. */
  readonly apps = new AppHouse();
  readonly #now: () => number;
  readonly #repos: Repo[] = [];
  /** `<owner>/<name>` in lower case, of repos that have left this name. */
  readonly #oldNames = new Map<string, Repo>();
  #lastId = 700_000_000;

  constructor(root: string, token: string, now: () => number = Date.now) {
    this.#now = now;
    this.root = root;
    this.tokens = new Set([token]);
  }

  /** Ids of every kind come from one rising count, so that a larger id is always the newer. */
  nextId(): number {
    return ++this.#lastId;
  }

  async createRepo(wanted: NewRepo): Promise<Repo> {
    if (this.find(wanted)) throw new Error(`${wanted.owner}/${wanted.name} stands already`);
    const repo: Repo = {
      id: wanted.id ?? this.nextId(),
      owner: wanted.owner,
      name: wanted.name,
      defaultBranch: wanted.defaultBranch ?? "main",
      private: wanted.private ?? true,
      ownerType: wanted.ownerType ?? "Organization",
      token: wanted.token ?? null,
      directory: this.#directoryOf(wanted),
      commits: new Map(),
      protections: new Map(),
      announced: new Map(),
      hooks: [],
      collaborators: new Map(),
    };
    if (wanted.token !== undefined) this.tokens.add(wanted.token);
    await initBare(repo.directory, repo.defaultBranch);
    this.#oldNames.delete(keyOf(repo));
    this.#repos.push(repo);
    return repo;
  }

  async renameRepo(repo: Repo, to: Partial<RepoName>): Promise<void> {
    const target = { owner: to.owner ?? repo.owner, name: to.name ?? repo.name };
    if (this.find(target)) throw new Error(`${target.owner}/${target.name} stands already`);
    const directory = this.#directoryOf(target);
    await mkdir(dirname(directory), { recursive: true });
    await rename(repo.directory, directory);
    this.#oldNames.set(keyOf(repo), repo);
    this.#oldNames.delete(keyOf(target));
    Object.assign(repo, target, { directory });
  }

  /** @throws Error for a repo that the test never made: a mistake of the test's own. */
  get(name: RepoName): Repo {
    const repo = this.find(name);
    if (repo === null) throw new Error(`the stand-in has no repo ${name.owner}/${name.name}`);
    return repo;
  }

  /** By its present name. As GitHub does, without regard to case. */
  find(name: RepoName): Repo | null {
    return this.#repos.find((repo) => keyOf(repo) === keyOf(name)) ?? null;
  }

  findById(id: number): Repo | null {
    return this.#repos.find((repo) => repo.id === id) ?? null;
  }

  /** The repo that has left this name. */
  findMoved(name: RepoName): Repo | null {
    return this.#oldNames.get(keyOf(name)) ?? null;
  }

  reposOf(owner: string): Repo[] {
    return this.#repos
      .filter((repo) => repo.owner.toLowerCase() === owner.toLowerCase())
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  hooksOfOrganisation(owner: string): Hook[] {
    const own = this.organisationHooks.get(owner.toLowerCase()) ?? [];
    return this.everywhere === null ? own : [this.everywhere, ...own];
  }

  /** Whether a caller with this token is shown the repo. */
  shows(repo: Repo, token: string): boolean {
    const ofApp = this.apps.tokenOf(token, this.#now());
    if (ofApp !== null) return !repo.private || this.#reaches(ofApp, repo);
    return this.tokens.has(token) && (repo.token === null || repo.token === token || !repo.private);
  }

  /** Whether it is a token that is good now. */
  knows(token: string): boolean {
    return this.tokens.has(token) || this.apps.tokenOf(token, this.#now()) !== null;
  }

  #reaches({ installation, repoIds }: AppToken, repo: Repo): boolean {
    return this.apps.of(repo)?.id === installation.id && (repoIds === null || repoIds.includes(repo.id));
  }

  checksOf(repo: Repo, sha: string): CommitChecks {
    const checks = repo.commits.get(sha) ?? { statuses: [], runs: [], suites: [] };
    repo.commits.set(sha, checks);
    return checks;
  }

  /** The rule of GitHub's git server: wrong credentials are always 401, a private repo is 404 to those without the right to it. */
  lookup(owner: string, name: string, credentials: Credentials | null): Lookup {
    if (credentials && !this.knows(credentials.password)) return { refuse: 401 };
    const ofApp = credentials && this.apps.tokenOf(credentials.password, this.#now());
    if (ofApp && (credentials?.username !== "x-access-token" || ofApp.permissions.contents === undefined)) {
      return { refuse: 401 };
    }
    const repo = this.find({ owner, name }) ?? this.findMoved({ owner, name });
    if (!credentials && (repo === null || repo.private)) return { refuse: 401 };
    if (repo === null || (credentials && !this.shows(repo, credentials.password))) return { refuse: 404 };
    if (this.find({ owner, name }) === null) return { moved: `${repo.owner}/${repo.name}` };
    return { directory: repo.directory };
  }

  #directoryOf({ owner, name }: RepoName): string {
    return join(this.root, owner, `${name}.git`);
  }
}

function keyOf({ owner, name }: RepoName): string {
  return `${owner}/${name}`.toLowerCase();
}
