import type { BareRepo } from "../bare-repos.ts";
import type { Answer } from "../front.ts";
import type { Hook, SentHook } from "../hooks.ts";

/** One build of a commit in one repo: there is one for each key. */
export interface Build {
  key: string;
  name: string;
  state: string;
  url: string;
  description: string;
  parent: string | null;
  ref: string | null;
  /** ms since the epoch. */
  createdDate: number;
  updatedDate: number;
}

/** A merge check: the builds of these parents have to be green. */
export interface RequiredBuild {
  id: number;
  buildParentKeys: string[];
  refMatcher: { id: string; type: { id: string } };
}

export interface Repository extends BareRepo {
  /** By sha. */
  builds: Map<string, Build[]>;
  required: RequiredBuild[];
}

/** Data Center's form of a refusal. */
export function refusal(status: number, message: string, exceptionName: string | null = null): Answer {
  return { status, body: { errors: [{ context: null, message, exceptionName }] } };
}

/** The same 401 stands for a login that is wrong, and for a right that it lacks. */
export const WRONG_LOGIN = refusal(
  401,
  "Authentication failed. Please check your credentials and try again.",
  "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException",
);
export const NO_RIGHT = refusal(
  401,
  "You are not permitted to access this resource",
  "com.atlassian.bitbucket.AuthorisationException",
);

export function noRepo(project: string, slug: string): Answer {
  return refusal(
    404,
    `Repository ${project}/${slug} does not exist.`,
    "com.atlassian.bitbucket.repository.NoSuchRepositoryException",
  );
}

export function noCommit(sha: string, slug: string): Answer {
  return refusal(
    404,
    `Commit '${sha}' does not exist in repository '${slug}'.`,
    "com.atlassian.bitbucket.commit.NoSuchCommitException",
  );
}

/** In answers and in webhooks alike. The name is for people; the slug is in URLs. */
export function repoBody(url: string, { id, owner, name }: Repository): Record<string, unknown> {
  return {
    slug: name,
    id: Number(id),
    name: `The ${name} service`,
    hierarchyId: "12cb3c28a34e6d0a78c6",
    scmId: "git",
    state: "AVAILABLE",
    statusMessage: "Available",
    forkable: true,
    project: {
      key: owner,
      id: 7,
      name: "Platform",
      public: false,
      type: owner.startsWith("~") ? "PERSONAL" : "NORMAL",
    },
    public: false,
    archived: false,
    links: { clone: [{ href: `${url}/scm/${owner.toLowerCase()}/${name}.git`, name: "http" }] },
  };
}

export function buildBody(build: Build): Record<string, unknown> {
  const { parent, ref, ...rest } = build;
  return { ...rest, ...(parent === null ? {} : { parent }), ...(ref === null ? {} : { ref }) };
}

export const HOOK_EVENTS = [
  "repo:refs_changed",
  "repo:modified",
  "repo:forked",
  "repo:comment:added",
  "mirror:repo_synchronized",
  "pr:opened",
  "pr:merged",
];

/** A webhook shows no secret, only that there is a place for one. */
export function hookBody(hook: Hook, scopeType: "repository" | "project"): Record<string, unknown> {
  return {
    id: Number(hook.id),
    name: hook.name,
    createdDate: 1_767_225_600_000,
    updatedDate: 1_767_225_600_000,
    events: [...hook.events],
    configuration: hook.secret === null ? {} : { secret: "" },
    url: hook.url,
    active: hook.isActive,
    scopeType,
    sslVerificationRequired: hook.verifiesTls,
  };
}

export function invocationBody(hook: Hook, sent: SentHook): Record<string, unknown> {
  const { id, event, status, answer, at } = sent;
  const isTaken = status !== null && status >= 200 && status < 300;
  return {
    id,
    event,
    duration: 250,
    start: at,
    finish: at + 250,
    request: { url: hook.url, method: "POST" },
    result: {
      outcome: status === null ? "ERROR" : isTaken ? "SUCCESS" : "FAILURE",
      description: status === null ? answer : String(status),
      ...(status === null ? {} : { statusCode: status, body: answer }),
    },
  };
}
