import type { BareRepos } from "../bare-repos.ts";
import type { Answer, Call, Route } from "../front.ts";
import type { Hook } from "../hooks.ts";
import { NO_RIGHT, noRepo, type Repository } from "./state.ts";

export interface Backend {
  repos: BareRepos<Repository>;
  projectHooks: Map<string, Hook[]>;
  /** Whether the token has REPO_ADMIN, which webhooks need, and REPO_READ. */
  isAdmin: boolean;
  mayRead: boolean;
  /** Whether it has the routes of 7.14 for required builds, and of 7.5 for the default branch. */
  isNew: boolean;
  url(): string;
  nextId(): number;
  onTest(url: string, webhookId: string | null): Promise<Answer>;
}

export type DataCenterRoute = Route<Backend>;
export type RepoAnswer = (backend: Backend, repo: Repository, parts: string[], call: Call) => Answer | Promise<Answer>;

export const PAGE = ["start", "limit"];
export const REPO = "/rest/api/(?:latest|1\\.0)/projects/([^/]+)/repos/([^/]+)";
export const at = (text: string) => new RegExp(`^${text}$`);

export const ofRepo =
  (answer: RepoAnswer): DataCenterRoute["answer"] =>
  (backend, call, [project = "", slug = "", ...parts]) => {
    const repo = backend.repos.all.find(
      (one) => one.owner.toLowerCase() === project.toLowerCase() && one.name === slug,
    );
    if (repo === undefined) return noRepo(project, slug);
    return backend.mayRead ? answer(backend, repo, parts, call) : NO_RIGHT;
  };

/** The most that the server gives on a page, whatever is asked for. */
const MAX_LIMIT = 1_000;

export function paged({ query }: Call, items: unknown[]): Answer {
  const limit = Math.min(Number(query.get("limit") ?? 25), MAX_LIMIT);
  const start = Number(query.get("start") ?? 0);
  const values = items.slice(start, start + limit);
  const isLastPage = start + limit >= items.length;
  return {
    status: 200,
    body: {
      size: values.length,
      limit,
      start,
      isLastPage,
      values,
      nextPageStart: isLastPage ? null : start + limit,
    },
  };
}
