import { type Answer, notFound } from "./answer.ts";
import type { Software } from "./hooks.ts";
import type { GiteaState, Hook, Repo, StatusRow } from "./state.ts";

export interface Call {
  method: string;
  url: URL;
  /** Parsed; undefined where there was none. */
  body: Record<string, unknown> | undefined;
  /** Null: nobody is logged in. */
  login: string | null;
}

export interface Backend {
  state: GiteaState;
  software: Software;
  version: string;
  url(): string;
  cloneUrl(): string;
  /** The server's own limit on a page, as its administrator sets it. */
  pageLimit: number;
  /** Whether the token's owner administers repos and organisations, and may write to repos. */
  mayManageHooks: boolean;
  mayWrite: boolean;
  onStatus(repo: Repo, row: StatusRow): void;
  onTest(repo: Repo, hook: Hook): void;
}

export interface Route {
  method: string;
  pattern: RegExp;
  /** Known keys of the query. */
  query: string[];
  answer(backend: Backend, call: Call, parts: string[]): Answer | Promise<Answer>;
}

type OfRepo = (backend: Backend, repo: Repo, parts: string[], call: Call) => Answer | Promise<Answer>;

export const PAGE = ["page", "limit"];

/** With the repo that the first two parts of the path name. A former name is redirected, whatever the method. */
export const ofRepo =
  (answer: OfRepo): Route["answer"] =>
  (backend, call, [owner = "", name = "", ...parts]) => {
    const repo = backend.state.find(owner, name);
    if (repo !== undefined) return call.login === null ? notFound() : answer(backend, repo, parts, call);
    const moved = backend.state.byId(backend.state.moved.get(`${owner}/${name}`) ?? 0);
    if (moved === undefined) return notFound();
    const location = call.url.pathname.replace(`/${owner}/${name}`, `/${moved.owner}/${moved.name}`) + call.url.search;
    return { status: 301, headers: { location } };
  };
