import { type CommitFacts, commitFacts, resolveCommit, revParse } from "../git.ts";
import type { AppToken } from "./app.ts";
import * as bodies from "./bodies.ts";
import { latestRuns } from "./checks.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Method } from "./openapi.ts";
import type { CheckRun, CommitChecks, Hook, Repo, State, Status, StatusState } from "./state.ts";

export interface Answer {
  status: number;
  body: Json;
  headers?: Record<string, string>;
}

/** A request that has passed the description. */
export interface Call {
  state: State;
  token: string;
  /** Where this server stands, for Link headers. */
  url: URL;
  params: Record<string, string>;
  /** The repo that the path names, where it names one. */
  repo: Repo | null;
  body: JsonObject;
  now: string;
  /** The same in ms since the epoch. */
  nowMs: number;
  /** The token of an App's installation that it came with. Null: it came with another one, or none. */
  appToken: AppToken | null;
  /** Told of a status that was set through the API. */
  onStatus(repo: Repo, sha: string, status: Status): void;
  /** Told of a webhook that is to be pinged. */
  onPing(repo: Repo, hook: Hook): void;
  /** Told of a check run that an App has made or ended. */
  onCheckRun(repo: Repo, sha: string, run: CheckRun, action: "created" | "completed"): void;
}

export interface Operation {
  method: Method;
  /** The path as GitHub's description spells it. */
  template: string;
  /** It takes the App's own signature, and no token. */
  asApp?: boolean;
  /** It takes no login at all. */
  isOpen?: boolean;
  handle(call: Call): Promise<Answer> | Answer;
}

export function failure(status: number, message: string, more: JsonObject = {}): Answer {
  return {
    status,
    body: { message, ...more, documentation_url: "https://docs.github.com/rest", status: String(status) },
  };
}

/** Every call that the daemon may make, and no other: SURFACE, "Calls to GitHub". */
export const operations: Operation[] = [
  { method: "GET", template: "/repos/{owner}/{repo}", handle: ({ repo }) => ok(bodies.fullRepo(present(repo))) },
  {
    method: "GET",
    template: "/users/{username}/repos",
    handle: (call) => listRepos(call, call.params.username ?? ""),
  },
  { method: "GET", template: "/orgs/{org}/repos", handle: (call) => listRepos(call, call.params.org ?? "") },
  { method: "GET", template: "/repos/{owner}/{repo}/commits/{ref}/status", handle: combinedStatus },
  { method: "GET", template: "/repos/{owner}/{repo}/commits/{ref}/statuses", handle: listStatuses },
  { method: "GET", template: "/repos/{owner}/{repo}/commits/{ref}/check-runs", handle: listCheckRuns },
  { method: "GET", template: "/repos/{owner}/{repo}/commits/{ref}/check-suites", handle: listCheckSuites },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks",
    handle: requiredStatusChecks,
  },
  { method: "GET", template: "/repos/{owner}/{repo}/branches/{branch}", handle: getBranch },
  { method: "GET", template: "/repos/{owner}/{repo}/rules/branches/{branch}", handle: branchRules },
  { method: "POST", template: "/repos/{owner}/{repo}/statuses/{sha}", handle: createStatus },
];

function ok(body: Json, headers: Record<string, string> = {}): Answer {
  return { status: 200, body, headers };
}

function present(repo: Repo | null): Repo {
  if (repo === null) throw new Error("an operation on a repo was called without one");
  return repo;
}

/** As GitHub does: `orgs` knows organizations only and lists what the token sees; `users` lists open repos only. */
function listRepos(call: Call, owner: string): Answer {
  const all = call.state.reposOf(owner);
  const asOrganization = call.params.org !== undefined;
  if (all.length === 0 || (asOrganization && all.every((repo) => repo.ownerType === "User")))
    return failure(404, "Not Found");
  const shown = all.filter((repo) => (asOrganization ? call.state.shows(repo, call.token) : !repo.private));
  const { items, headers } = pageOf(call, shown);
  return ok(items.map(bodies.minimalRepo), headers);
}

async function combinedStatus(call: Call): Promise<Answer> {
  const { repo, sha, checks } = await commitOf(call);
  if (sha === null) return failure(404, "Not Found");
  const newest = newestPerContext(checks.statuses);
  const { items, headers } = pageOf(call, newest);
  return ok(bodies.combinedStatus(repo, sha, newest, items), headers);
}

async function listStatuses(call: Call): Promise<Answer> {
  const { repo, sha, checks, unknown } = await commitOf(call);
  if (sha === null) return unknown;
  const { items, headers } = pageOf(call, checks.statuses.toReversed());
  return ok(
    items.map((one) => bodies.status(repo, sha, one)),
    headers,
  );
}

async function listCheckRuns(call: Call): Promise<Answer> {
  const { repo, sha, checks, unknown } = await commitOf(call);
  if (sha === null) return unknown;
  const query = call.url.searchParams;
  const matches = (name: string, value: string) => query.get(name) === null || query.get(name) === value;
  const runs = (query.get("filter") === "all" ? checks.runs : latestRuns(checks.runs))
    .filter(
      (run) => matches("check_name", run.name) && matches("status", run.status) && matches("app_id", `${run.app.id}`),
    )
    .toReversed();
  const { items, headers } = pageOf(call, runs);
  return ok({ total_count: runs.length, check_runs: items.map((run) => bodies.checkRun(repo, sha, run)) }, headers);
}

async function listCheckSuites(call: Call): Promise<Answer> {
  const { repo, sha, checks, unknown } = await commitOf(call);
  if (sha === null) return unknown;
  const query = call.url.searchParams;
  const wantedApp = query.get("app_id");
  const wantedName = query.get("check_name");
  const suites = checks.suites.filter(
    (suite) =>
      (wantedApp === null || wantedApp === `${suite.app.id}`) &&
      (wantedName === null || checks.runs.some((run) => run.suiteId === suite.id && run.name === wantedName)),
  );
  const commit = await factsOf(repo, sha);
  const { items, headers } = pageOf(call, suites);
  const listed = items.map((suite) => bodies.checkSuite(repo, commit, suite, checks));
  return ok({ total_count: suites.length, check_suites: listed }, headers);
}

async function getBranch(call: Call): Promise<Answer> {
  const repo = present(call.repo);
  const name = call.params.branch ?? "";
  const sha = await revParse(repo.directory, `refs/heads/${name}^{commit}`);
  if (sha === null) return failure(404, "Branch not found");
  return ok(bodies.branch(repo, name, await factsOf(repo, sha), repo.protections.get(name)));
}

async function requiredStatusChecks(call: Call): Promise<Answer> {
  const repo = present(call.repo);
  const name = call.params.branch ?? "";
  const protection = repo.protections.get(name);
  if (protection?.tells === false) return failure(403, "Resource not accessible by personal access token");
  if ((await revParse(repo.directory, `refs/heads/${name}`)) === null) return failure(404, "Branch not found");
  if (protection?.via !== "protection") return failure(404, "Branch not protected");
  if (protection.required.length === 0) return failure(404, "Required status checks not enabled");
  return ok(bodies.statusCheckPolicy(repo, protection));
}

/** A branch that does not exist has rules too, as a ruleset matches by name. */
function branchRules(call: Call): Answer {
  const repo = present(call.repo);
  const protection = repo.protections.get(call.params.branch ?? "");
  if (protection?.tells === false) return failure(403, "Resource not accessible by personal access token");
  const { items, headers } = pageOf(call, protection?.via === "rules" ? bodies.branchRules(repo, protection) : []);
  return ok(items, headers);
}

/** The limits that GitHub's documentation states and its description does not: 140 characters, 1,000 statuses per context. */
async function createStatus(call: Call): Promise<Answer> {
  const repo = present(call.repo);
  const sha = call.params.sha ?? "";
  if (!/^[0-9a-f]{40}$/.test(sha) || (await resolveCommit(repo.directory, sha)) === null) {
    return failure(422, `No commit found for SHA: ${sha}`);
  }
  const text = (key: string) => (typeof call.body[key] === "string" ? call.body[key] : null);
  const description = text("description");
  if (description !== null && [...description].length > 140) {
    return invalid("description", "description is too long (maximum is 140 characters)");
  }
  const target = text("target_url");
  if (target !== null && !/^https?:\/\//.test(target))
    return invalid("target_url", "target_url must use http(s) scheme");
  const context = text("context") ?? "default";
  const { statuses } = call.state.checksOf(repo, sha);
  if (statuses.filter((one) => isContext(one, context)).length >= 1000) {
    return invalid("base", "This SHA and context has reached the maximum number of statuses.");
  }
  const status: Status = {
    id: call.state.nextId(),
    state: text("state") as StatusState,
    context,
    description,
    targetUrl: target,
    createdAt: call.now,
    by: null,
  };
  statuses.push(status);
  call.onStatus(repo, sha, status);
  return { status: 201, body: bodies.status(repo, sha, status), headers: { location: call.url.href } };
}

function invalid(field: string, message: string): Answer {
  return failure(422, "Validation Failed", { errors: [{ resource: "Status", code: "custom", field, message }] });
}

export function isContext(status: Status, context: string): boolean {
  return status.context.toLowerCase() === context.toLowerCase();
}

function newestPerContext(statuses: Status[]): Status[] {
  return statuses.filter((one) => statuses.findLast((other) => isContext(other, one.context)) === one);
}

type CommitCall = { repo: Repo; checks: CommitChecks; unknown: Answer; sha: string | null };

async function commitOf(call: Call): Promise<CommitCall> {
  const repo = present(call.repo);
  const ref = call.params.ref ?? "";
  const sha = await resolveCommit(repo.directory, ref);
  const checks = sha === null ? { statuses: [], runs: [], suites: [] } : call.state.checksOf(repo, sha);
  return { repo, checks, sha, unknown: failure(422, `No commit found for SHA: ${ref}`) };
}

export async function factsOf(repo: Repo, sha: string): Promise<CommitFacts> {
  const commit = await commitFacts(repo.directory, sha);
  if (commit === null) throw new Error(`no commit ${sha} in ${repo.owner}/${repo.name}`);
  return commit;
}

/** GitHub's pages: 30 items unless asked for up to 100, with a Link header where there are more. */
export function pageOf<T>(call: Call, all: T[]): { items: T[]; headers: Record<string, string> } {
  const size = Number(call.url.searchParams.get("per_page") ?? 30);
  const page = Number(call.url.searchParams.get("page") ?? 1);
  const last = Math.max(1, Math.ceil(all.length / size));
  const link = (to: number, rel: string) => {
    const url = new URL(call.url);
    url.searchParams.set("page", String(to));
    return `<${url.href}>; rel="${rel}"`;
  };
  const links = [
    ...(page > 1 ? [link(page - 1, "prev")] : []),
    ...(page < last ? [link(page + 1, "next"), link(last, "last")] : []),
    ...(page > 1 ? [link(1, "first")] : []),
  ];
  return {
    items: all.slice((page - 1) * size, page * size),
    headers: links.length > 0 ? { link: links.join(", ") } : {},
  };
}
