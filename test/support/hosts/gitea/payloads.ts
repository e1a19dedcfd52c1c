import { pathOf, type Repo, type StatusRow } from "./state.ts";

/** Bodies of webhooks and answers of the API, in the form of Gitea 1.25, cut to what a client may reasonably read. */

const ZERO = "0".repeat(40);

export function userBody(login: string): Record<string, unknown> {
  return { id: 1, login, login_name: "", full_name: "", email: `${login}@noreply.localhost`, username: login };
}

export function repoBody(url: string, cloneUrl: string, repo: Repo): Record<string, unknown> {
  const path = pathOf(repo);
  return {
    id: repo.id,
    owner: userBody(repo.owner),
    name: repo.name,
    full_name: path,
    description: "",
    empty: false,
    private: true,
    fork: false,
    html_url: `${url}/${path}`,
    url: `${url}/api/v1/repos/${path}`,
    clone_url: `${cloneUrl}/${path}.git`,
    default_branch: repo.defaultBranch,
    archived: false,
    permissions: { admin: false, push: false, pull: false },
    object_format_name: "sha1",
  };
}

export function statusBody(url: string, repo: Repo, row: StatusRow): Record<string, unknown> {
  return {
    id: row.index,
    status: row.state,
    target_url: row.targetUrl,
    description: row.description,
    url: `${url}/api/v1/repos/${pathOf(repo)}/statuses/${row.sha}`,
    context: row.context,
    creator: row.creator === null ? null : userBody(row.creator),
    created_at: row.createdAt,
    updated_at: row.createdAt,
  };
}

/** A commit as payloads have it; what it changed is left out. */
export function commitBody(url: string, repo: Repo, sha: string): Record<string, unknown> {
  const person = { name: "Sam Sample", email: "sam@example.com", username: "" };
  return {
    id: sha,
    message: "Change something\n",
    url: `${url}/${pathOf(repo)}/commit/${sha}`,
    author: person,
    committer: person,
    verification: null,
    timestamp: "2026-01-01T00:00:00Z",
    added: null,
    removed: null,
    modified: null,
  };
}

export interface PushFacts {
  /** Full. */
  ref: string;
  before: string | undefined;
  after: string | undefined;
  /** What an annotated tag leads to; null for a deleted ref. */
  commit: string | null;
}

export interface Places {
  url: string;
  cloneUrl: string;
}

export function pushPayload({ url, cloneUrl }: Places, repo: Repo, facts: PushFacts): Record<string, unknown> {
  const isTag = facts.ref.startsWith("refs/tags/");
  const head = facts.commit === null ? null : commitBody(url, repo, facts.commit);
  return {
    ref: facts.ref,
    before: facts.before ?? ZERO,
    after: facts.after ?? ZERO,
    compare_url: `${url}/${pathOf(repo)}/compare/x...y`,
    // A tag brings no commits.
    commits: isTag || head === null ? [] : [head],
    total_commits: isTag ? 0 : 1,
    head_commit: head,
    repository: repoBody(url, cloneUrl, repo),
    pusher: userBody("ada"),
    sender: userBody("ada"),
  };
}

/** `create` names the object, which may be that of a tag; `delete` names none. Both have the short name of the ref. */
export function refPayload({ url, cloneUrl }: Places, repo: Repo, facts: PushFacts): Record<string, unknown> {
  const [, kind, short = ""] = /^refs\/(heads|tags)\/(.*)$/.exec(facts.ref) ?? [];
  return {
    ...(facts.after === undefined ? { pusher_type: "user" } : { sha: facts.after }),
    ref: short,
    ref_type: kind === "tags" ? "tag" : "branch",
    repository: repoBody(url, cloneUrl, repo),
    sender: userBody("ada"),
  };
}

export function statusPayload({ url, cloneUrl }: Places, repo: Repo, row: StatusRow): Record<string, unknown> {
  return {
    commit: commitBody(url, repo, row.sha),
    context: row.context,
    created_at: row.createdAt,
    description: row.description,
    id: 1000 + row.index,
    repository: repoBody(url, cloneUrl, repo),
    sender: userBody(row.creator ?? "gitea-actions"),
    sha: row.sha,
    state: row.state,
    target_url: row.targetUrl,
    updated_at: row.createdAt,
  };
}
