import type { CommitFacts } from "../git.ts";
import { suiteResult } from "./checks.ts";
import { isObject, type Json, type JsonObject, objectAt, withTexts } from "./json.ts";
import { example } from "./openapi.ts";
import type { App, CheckRun, CheckSuite, CommitChecks, Protection, Repo, Shown, Status } from "./state.ts";

// Every body is GitHub's own example, changed only where an id, a sha, a name or a state must be.

/** The URLs of an example of octocat/Hello-World, made those of our repo. */
function own<T extends Json>(body: T, repo: Repo): T {
  return withTexts(body, [["octocat/Hello-World", `${repo.owner}/${repo.name}`]]);
}

export function fullRepo(repo: Repo): JsonObject {
  const {
    parent: _parent,
    source: _source,
    template_repository: _template,
    organization: _organization,
    ...body
  } = objectAt(own(example("full-repository-default-response"), repo));
  // GitHub's example misses `language`, which its schema demands.
  return { ...body, ...identity(repo, objectAt(body, "owner")), language: null };
}

export function minimalRepo(repo: Repo): JsonObject {
  const body = objectAt(own(example("minimal-repository-items"), repo), 0);
  return { ...body, ...identity(repo, objectAt(body, "owner")) };
}

/** As in the list of what an installation reaches, whose items are whole repos. */
export function listedRepo(repo: Repo): JsonObject {
  const [listed] = listOf(objectAt(own(example("repository-paginated"), repo)).repositories);
  return { ...listed, ...identity(repo, objectAt(listed, "owner")) };
}

function listOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function identity(repo: Repo, owner: JsonObject): JsonObject {
  return {
    id: repo.id,
    name: repo.name,
    full_name: `${repo.owner}/${repo.name}`,
    private: repo.private,
    visibility: repo.private ? "private" : "public",
    default_branch: repo.defaultBranch,
    owner: { ...withTexts(owner, [["octocat", repo.owner]]), login: repo.owner, type: repo.ownerType },
  };
}

export function status(repo: Repo, sha: string, one: Status): JsonObject {
  const body = objectAt(example("status"));
  return { ...body, ...simpleStatus(repo, sha, one), creator: creator(objectAt(body, "creator"), one.by) };
}

/** A bot has its app's picture: https://avatars.githubusercontent.com/in/15368 is that of Actions. */
function creator(body: JsonObject, by: App | null): JsonObject {
  if (by === null) return body;
  const avatar_url = `https://avatars.githubusercontent.com/in/${by.id}?v=4`;
  return { ...body, login: `${by.slug}[bot]`, type: "Bot", avatar_url };
}

function simpleStatus(repo: Repo, sha: string, one: Status): JsonObject {
  const { creator: _creator, ...body } = objectAt(example("status"));
  return {
    ...body,
    url: `https://api.github.com/repos/${repo.owner}/${repo.name}/statuses/${sha}`,
    id: one.id,
    state: one.state,
    context: one.context,
    description: one.description,
    target_url: one.targetUrl,
    created_at: one.createdAt,
    updated_at: one.createdAt,
  };
}

export function combinedStatus(repo: Repo, sha: string, newest: Status[], page: Status[]): JsonObject {
  const states = newest.map((one) => one.state);
  const failed = states.some((state) => state === "failure" || state === "error");
  const passed = states.length > 0 && states.every((state) => state === "success");
  return {
    ...own(objectAt(example("combined-commit-status")), repo),
    state: failed ? "failure" : passed ? "success" : "pending",
    statuses: page.map((one) => simpleStatus(repo, sha, one)),
    sha,
    total_count: newest.length,
    repository: minimalRepo(repo),
  };
}

export function checkRun(repo: Repo, sha: string, run: CheckRun): JsonObject {
  const body = objectAt(own(example("check-run-paginated"), repo), "check_runs", 0);
  return {
    ...body,
    id: run.id,
    head_sha: sha,
    name: run.name,
    status: run.status,
    conclusion: run.conclusion,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    check_suite: { id: run.suiteId },
    app: app(objectAt(body, "app"), run.app),
    pull_requests: [],
    ...(run.shown === undefined ? {} : shownMembers(run.shown, objectAt(body, "output"))),
  };
}

function shownMembers({ externalId, detailsUrl, title, summary, annotations }: Shown, output: JsonObject): JsonObject {
  return {
    external_id: externalId,
    details_url: detailsUrl,
    output: { ...output, title, summary, text: null, annotations_count: annotations.length },
  };
}

export function checkSuite(repo: Repo, commit: CommitFacts, suite: CheckSuite, checks: CommitChecks): JsonObject {
  const body = objectAt(own(example("check-suite-paginated"), repo), "check_suites", 0);
  const { status, conclusion, count } = suiteResult(suite, checks.runs);
  const ofSuite = checks.runs.filter((run) => run.suiteId === suite.id);
  const changes = ofSuite.map((run) => run.completedAt ?? run.startedAt);
  return {
    ...body,
    id: suite.id,
    head_branch: suite.branch,
    head_sha: commit.sha,
    status,
    conclusion,
    before: commit.parents[0] ?? null,
    after: commit.sha,
    app: app(objectAt(body, "app"), suite.app),
    pull_requests: [],
    repository: minimalRepo(repo),
    created_at: suite.createdAt,
    updated_at: [suite.createdAt, ...changes].sort().at(-1) ?? suite.createdAt,
    head_commit: headCommit(commit),
    latest_check_runs_count: count,
    check_runs_url: `https://api.github.com/repos/${repo.owner}/${repo.name}/check-suites/${suite.id}/check-runs`,
  };
}

export function app(body: JsonObject, one: App): JsonObject {
  return { ...body, id: one.id, slug: one.slug, name: one.slug };
}

export function headCommit(commit: CommitFacts): JsonObject {
  const person = ({ name, email }: { name: string; email: string }) => ({ name, email });
  return {
    id: commit.sha,
    tree_id: commit.tree,
    message: commit.message,
    timestamp: commit.committer.date,
    author: person(commit.author),
    committer: person(commit.committer),
  };
}

export function branch(repo: Repo, name: string, commit: CommitFacts, protection: Protection | undefined): JsonObject {
  const body = objectAt(own(example("branch-get"), repo));
  const classic = protection?.via === "protection" && protection.tells ? protection : undefined;
  const summary = { enforcement_level: classic ? "non_admins" : "off", ...requiredChecks(classic) };
  return {
    ...body,
    name,
    commit: { ...objectAt(body, "commit"), ...commitMembers(objectAt(body, "commit", "commit"), commit) },
    protected: protection !== undefined,
    protection: { enabled: classic !== undefined, required_status_checks: summary },
  };
}

function commitMembers(body: JsonObject, commit: CommitFacts): JsonObject {
  return {
    sha: commit.sha,
    commit: { ...body, message: commit.message, author: { ...commit.author }, committer: { ...commit.committer } },
    parents: commit.parents.map((sha) => ({ sha, url: `https://api.github.com/commits/${sha}` })),
  };
}

export function statusCheckPolicy(repo: Repo, protection: Protection): JsonObject {
  return { ...own(objectAt(example("status-check-policy")), repo), strict: false, ...requiredChecks(protection) };
}

function requiredChecks(protection: Protection | undefined): JsonObject {
  const required = protection?.required ?? [];
  return {
    contexts: required.map((one) => one.context),
    checks: required.map((one) => ({ context: one.context, app_id: one.appId })),
  };
}

export function branchRules(repo: Repo, protection: Protection): JsonObject[] {
  const checks = protection.required.map(({ context, appId }) =>
    appId === null ? { context } : { context, integration_id: appId },
  );
  const ofChecks: JsonObject = {
    type: "required_status_checks",
    parameters: { required_status_checks: checks, strict_required_status_checks_policy: false },
  };
  const source = {
    ruleset_source_type: "Repository",
    ruleset_source: `${repo.owner}/${repo.name}`,
    ruleset_id: repo.id,
  };
  return [...(checks.length === 0 ? [] : [ofChecks]), ...protection.also].map((rule) => ({ ...rule, ...source }));
}
