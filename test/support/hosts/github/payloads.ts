import { createRequire } from "node:module";
import { type CommitFacts, commitsOf, git, revParse } from "../git.ts";
import * as bodies from "./bodies.ts";
import { suiteResult } from "./checks.ts";
import { isObject, type Json, type JsonObject, objectAt, withTexts } from "./json.ts";
import { payloadMistakes } from "./openapi.ts";
import { factsOf, isContext } from "./operations.ts";
import { type App, actions, type Repo, type RunConclusion, type State } from "./state.ts";

/** What a payload of each event is about. All else in it comes from the stand-in's state and from git. */
export interface WebhookFacts {
  /** Full ref, and the object ids that it had and has; 40 zeros for none. An annotated tag's `after` is the tag object. */
  push: { ref: string; before: string; after: string };
  create: { ref: string };
  status: { sha: string; context: string };
  /** `id`: of the run. Left out: the newest of its name. `button`: the identifier of a `requested_action`. */
  check_run: {
    sha: string;
    name: string;
    app?: App;
    action?: "created" | "completed" | "rerequested" | "requested_action";
    button?: string;
    by?: string;
    id?: number;
  };
  check_suite: { sha: string; app?: App; action?: "requested" | "completed" | "rerequested"; by?: string };
  workflow_run: { sha: string; conclusion?: RunConclusion; action?: "requested" | "in_progress" | "completed" };
  repository: { action: "renamed"; from: string };
  ping: Record<string, never>;
}

export type WebhookEvent = keyof WebhookFacts;

export const zero = "0".repeat(40);

// Read as plain JSON: the package's types promise members that its examples lack.
const collection: Json = createRequire(import.meta.url)("@octokit/webhooks-examples");

const builders: { [E in WebhookEvent]: (repo: Repo, facts: WebhookFacts[E], state: State) => Promise<JsonObject> } = {
  push,
  create: async (repo, { ref }) => {
    const [, kind = "", name = ""] = /^refs\/(heads|tags)\/(.+)$/.exec(ref) ?? [];
    const type = kind === "tags" ? "tag" : "branch";
    return { ...filled("create", {}, repo), ref: name, ref_type: type, master_branch: repo.defaultBranch };
  },
  status,
  check_run: checkRun,
  check_suite: checkSuite,
  workflow_run: workflowRun,
  repository: async (repo, { action, from }) => ({
    ...filled("repository", { action }, repo),
    changes: { repository: { name: { from } } },
  }),
  ping: async (repo) => filled("ping", {}, repo),
};

/** A full payload: GitHub's own example, changed only where an id, a sha, a ref or a name must be. @throws Error when it misses GitHub's description. */
export async function payloadOf<E extends WebhookEvent>(
  event: E,
  repo: Repo,
  facts: WebhookFacts[E],
  state: State,
): Promise<JsonObject> {
  const payload = await builders[event](repo, facts, state);
  const action = typeof payload.action === "string" ? `-${payload.action}` : "";
  const mistakes = payloadMistakes(`${event}${action}`.replaceAll("_", "-"), payload);
  if (mistakes.length > 0) throw new Error(`a payload is not as GitHub describes it: ${mistakes.join("; ")}`);
  return payload;
}

async function push(repo: Repo, { ref, before, after }: WebhookFacts["push"]): Promise<JsonObject> {
  const head = after === zero ? null : await factsOf(repo, after);
  const known = before !== zero && (await revParse(repo.directory, `${before}^{commit}`)) !== null;
  const forced = known && head !== null && !(await isAncestor(repo, before, head.sha));
  return {
    ...filled("push", {}, repo),
    ref,
    before,
    after,
    created: before === zero,
    deleted: after === zero,
    forced,
    base_ref: null,
    compare: `https://github.com/${repo.owner}/${repo.name}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    commits: (await newCommits(repo, ref, head, known ? before : null)).map((commit) => pushedCommit(repo, commit)),
    head_commit: head && pushedCommit(repo, head),
  };
}

/** What the push brought: all since the ref's old place, or all that no other ref had. GitHub lists 2,048 at most; a tag brings none. */
async function newCommits(
  repo: Repo,
  ref: string,
  head: CommitFacts | null,
  before: string | null,
): Promise<CommitFacts[]> {
  if (head === null || ref.startsWith("refs/tags/")) return [];
  const others = [...repo.announced].filter(([name]) => name !== ref).map(([, sha]) => sha);
  const old = before === null ? others : [before];
  const kept = [];
  for (const sha of old) if ((await revParse(repo.directory, `${sha}^{object}`)) !== null) kept.push(`^${sha}`);
  return (await commitsOf(repo.directory, [head.sha, ...kept])).slice(-2048);
}

async function isAncestor(repo: Repo, sha: string, of: string): Promise<boolean> {
  return git(repo.directory, ["merge-base", "--is-ancestor", sha, of]).then(
    () => true,
    () => false,
  );
}

function pushedCommit(repo: Repo, commit: CommitFacts): JsonObject {
  return {
    ...bodies.headCommit(commit),
    distinct: true,
    url: `https://github.com/${repo.owner}/${repo.name}/commit/${commit.sha}`,
    added: commit.added,
    removed: commit.removed,
    modified: commit.modified,
  };
}

async function status(repo: Repo, { sha, context }: WebhookFacts["status"], state: State): Promise<JsonObject> {
  const status = state.checksOf(repo, sha).statuses.findLast((one) => isContext(one, context));
  if (status === undefined) throw new Error(`no status ${context} on ${sha}`);
  const payload = filled("status", {}, repo);
  const commit = objectAt(payload, "commit");
  const facts = await factsOf(repo, sha);
  const inner = objectAt(commit, "commit");
  // GitHub's example is older than `verified_at`, which its schema demands.
  const verification = { ...objectAt(inner, "verification"), verified_at: null };
  const own = { author: { ...facts.author }, committer: { ...facts.committer }, message: facts.message, verification };
  return {
    ...payload,
    id: status.id,
    sha,
    name: `${repo.owner}/${repo.name}`,
    context: status.context,
    description: status.description,
    target_url: status.targetUrl,
    state: status.state,
    created_at: status.createdAt,
    updated_at: status.createdAt,
    commit: { ...commit, sha, commit: { ...inner, ...own } },
    branches: [],
  };
}

async function checkRun(repo: Repo, facts: WebhookFacts["check_run"], state: State): Promise<JsonObject> {
  const { sha, name, app = actions } = facts;
  const checks = state.checksOf(repo, sha);
  const isIt = (id: number) => facts.id === undefined || facts.id === id;
  const run = checks.runs.findLast((one) => one.name === name && one.app.id === app.id && isIt(one.id));
  const suite = checks.suites.find((one) => one.id === run?.suiteId);
  if (run === undefined || suite === undefined) throw new Error(`no check run ${name} on ${sha}`);
  const action = facts.action ?? (run.status === "completed" ? "completed" : "created");
  // The examples of the buttons are older than the description.
  const isButton = action === "rerequested" || action === "requested_action";
  const payload = { ...filled("check_run", { action: isButton ? "completed" : action }, repo), action };
  const body = objectAt(payload, "check_run");
  const { status, conclusion } = suiteResult(suite, checks.runs);
  return {
    ...withSender(payload, facts.by),
    ...(facts.button === undefined ? {} : { requested_action: { identifier: facts.button } }),
    check_run: {
      ...body,
      id: run.id,
      external_id: run.shown?.externalId ?? "",
      head_sha: sha,
      name: run.name,
      status: run.status,
      conclusion: run.conclusion,
      started_at: run.startedAt,
      completed_at: run.completedAt,
      pull_requests: [],
      app: bodies.app(objectAt(body, "app"), app),
      check_suite: {
        ...objectAt(body, "check_suite"),
        ...{
          id: suite.id,
          head_sha: sha,
          head_branch: suite.branch,
          status,
          conclusion,
          after: sha,
          pull_requests: [],
        },
        app: bodies.app(objectAt(body, "check_suite", "app"), app),
      },
    },
  };
}

async function checkSuite(repo: Repo, facts: WebhookFacts["check_suite"], state: State): Promise<JsonObject> {
  const { sha, app = actions, action = "completed", by } = facts;
  const checks = state.checksOf(repo, sha);
  const suite = checks.suites.find((one) => one.app.id === app.id);
  if (suite === undefined) throw new Error(`no check suite of ${app.slug} on ${sha}`);
  const payload = { ...filled("check_suite", { action: "completed" }, repo), action };
  const body = objectAt(payload, "check_suite");
  const { status, conclusion, count } = suiteResult(suite, checks.runs);
  return {
    ...withSender(payload, by),
    check_suite: {
      ...body,
      id: suite.id,
      head_sha: sha,
      head_branch: suite.branch,
      status,
      conclusion,
      after: sha,
      pull_requests: [],
      app: bodies.app(objectAt(body, "app"), app),
      latest_check_runs_count: count,
      head_commit: bodies.headCommit(await factsOf(repo, sha)),
    },
  };
}

async function workflowRun(repo: Repo, facts: WebhookFacts["workflow_run"], state: State): Promise<JsonObject> {
  const { sha, action = "completed" } = facts;
  const suite = state.checksOf(repo, sha).suites.find((one) => one.app.id === actions.id);
  const payload = filled("workflow_run", { action: action === "completed" ? action : "requested" }, repo);
  const run = objectAt(payload, "workflow_run");
  return {
    ...payload,
    action,
    workflow_run: {
      ...run,
      head_sha: sha,
      head_branch: repo.defaultBranch,
      event: "push",
      pull_requests: [],
      status: action === "requested" ? "queued" : action,
      conclusion: action === "completed" ? (facts.conclusion ?? "success") : null,
      check_suite_id: suite?.id ?? run.check_suite_id ?? null,
      head_commit: bodies.headCommit(await factsOf(repo, sha)),
      repository: ownRepository(objectAt(run, "repository"), repo),
      head_repository: ownRepository(objectAt(run, "head_repository"), repo),
    },
  };
}

function withSender(payload: JsonObject, login: string | undefined): JsonObject {
  return login === undefined ? payload : { ...payload, sender: { ...objectAt(payload, "sender"), login } };
}

/** The newest example of that event which bears the given members, all its texts about our repo. */
function filled(event: WebhookEvent, members: JsonObject, repo: Repo): JsonObject {
  const definitions = Array.isArray(collection) ? collection.filter(isObject) : [];
  const examples = definitions.find((one) => one.name === event)?.examples;
  const matching = (Array.isArray(examples) ? examples : []).filter(
    (one): one is JsonObject =>
      isObject(one) && isObject(one.repository) && Object.entries(members).every(([key, value]) => one[key] === value),
  );
  const found = objectAt(matching.at(-1));
  const name = String(objectAt(found, "repository").full_name);
  const payload = withTexts(found, [[name, `${repo.owner}/${repo.name}`]]);
  const { organization, ...rest } = payload;
  return {
    ...rest,
    repository: ownRepository(objectAt(payload, "repository"), repo),
    ...(isObject(organization) && repo.ownerType === "Organization"
      ? { organization: ownOrganization(organization, repo) }
      : {}),
  };
}

function ownOrganization(body: JsonObject, repo: Repo): JsonObject {
  return { ...withTexts(body, [[`/orgs/${body.login}`, `/orgs/${repo.owner}`]]), login: repo.owner };
}

function ownRepository(body: JsonObject, repo: Repo): JsonObject {
  const owner = objectAt(body, "owner");
  return {
    ...body,
    // The examples of `push` are older than this member, which GitHub's schema demands.
    has_discussions: body.has_discussions ?? false,
    id: repo.id,
    name: repo.name,
    full_name: `${repo.owner}/${repo.name}`,
    private: repo.private,
    default_branch: repo.defaultBranch,
    owner: { ...owner, login: repo.owner, type: repo.ownerType, ...("name" in owner ? { name: repo.owner } : {}) },
  };
}
