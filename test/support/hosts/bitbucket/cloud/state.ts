import type { BareRepo } from "../bare-repos.ts";
import type { Hook } from "../hooks.ts";

/** A build status of a commit: there is one for each key. */
export interface Status {
  key: string;
  name: string;
  state: string;
  url: string;
  description: string;
  refname: string | null;
  createdOn: string;
  updatedOn: string;
}

export interface Repository extends BareRepo {
  /** By sha, the newest last. */
  statuses: Map<string, Status[]>;
}

/** Bitbucket's form of a refusal. */
export function refusal(status: number, message: string) {
  return { status, body: { type: "error", error: { message } } };
}

export function repoBody(cloneUrl: string, repo: Repository): Record<string, unknown> {
  return {
    ...repoOfPayload(repo),
    mainbranch: { type: "branch", name: repo.defaultBranch },
    size: 1234,
    language: "",
    links: { clone: [{ name: "https", href: `${cloneUrl}/${repo.owner}/${repo.name}.git` }] },
  };
}

/** As webhooks have it: the default branch is not told. */
export function repoOfPayload({ id, owner, name }: Repository): Record<string, unknown> {
  return {
    type: "repository",
    uuid: `{${id}}`,
    full_name: `${owner}/${name}`,
    // The display name, which is not the name in URLs.
    name: `The ${name} service`,
    scm: "git",
    website: null,
    is_private: true,
    parent: null,
    workspace: { type: "workspace", uuid: "{9d1f2b34-0000-4000-8000-0000000acace}", name: "Acme Inc.", slug: owner },
    project: { type: "project", key: "PLAT", uuid: "{9d1f2b34-0000-4000-8000-0000000b1a70}", name: "Platform" },
  };
}

export function statusBody(apiUrl: string, repo: Repository, sha: string, status: Status): Record<string, unknown> {
  const commit = `${apiUrl}/repositories/${repo.owner}/${repo.name}/commit/${sha}`;
  return {
    type: "build",
    key: status.key,
    name: status.name,
    state: status.state,
    url: status.url,
    description: status.description,
    refname: status.refname,
    created_on: status.createdOn,
    updated_on: status.updatedOn,
    commit: { type: "commit", hash: sha, links: { self: { href: commit } } },
    links: { commit: { href: commit }, self: { href: `${commit}/statuses/build/${status.key}` } },
  };
}

export const HOOK_EVENTS = [
  "repo:push",
  "repo:fork",
  "repo:updated",
  "repo:transfer",
  "repo:deleted",
  "repo:commit_status_created",
  "repo:commit_status_updated",
  "pullrequest:created",
];

/** A webhook never shows its secret. */
export function hookBody(hook: Hook, subject: "repository" | "workspace"): Record<string, unknown> {
  return {
    type: "webhook_subscription",
    uuid: `{${hook.id}}`,
    url: hook.url,
    description: hook.name,
    subject_type: subject,
    active: hook.isActive,
    events: [...hook.events],
    secret_set: hook.secret !== null,
    skip_cert_verification: !hook.verifiesTls,
    created_at: "2026-01-01T00:00:00.000000Z",
  };
}
