import { type BareRepos, hasCommit } from "../bare-repos.ts";
import { type Answer, answerBy, type Call, type Route } from "../front.ts";
import { type Hook, newHook } from "../hooks.ts";
import { HOOK_EVENTS, hookBody, type Repository, refusal, repoBody, type Status, statusBody } from "./state.ts";

export interface Backend {
  repos: BareRepos<Repository>;
  workspaceHooks: Map<string, Hook[]>;
  /** Whether the token may manage webhooks, and whether it may write. */
  mayManageHooks: boolean;
  mayWrite: boolean;
  apiUrl(): string;
  cloneUrl(): string;
  nextUuid(): string;
  onStatus(repo: Repository, sha: string, status: Status, isNew: boolean): void;
}

type CloudRoute = Route<Backend>;
type RepoAnswer = (backend: Backend, repo: Repository, parts: string[], call: Call) => Answer | Promise<Answer>;

const PAGE = ["page", "pagelen"];
const REPO = "/2\\.0/repositories/([^/]+)/([^/]+)";
const COMMIT = `${REPO}/commit/([0-9a-f]{40})`;
const at = (text: string) => new RegExp(`^${text}$`);

const NO_REPO =
  "The requested repository either does not exist or you do not have access. If you believe this repository exists and you have access, make sure you're authenticated.";

/** With the repo that the path names, by slug or by UUID in encoded braces. Without a workspace, only by UUID. */
const ofRepo =
  (answer: RepoAnswer): CloudRoute["answer"] =>
  (backend, call, [workspace = "", slug = "", ...parts]) => {
    const byId = /^\{(.*)\}$/.exec(slug)?.[1];
    const repo = backend.repos.all.find(
      (one) =>
        (byId === undefined ? one.name === slug : one.id === byId) &&
        (one.owner === workspace || (workspace === "{}" && byId !== undefined)),
    );
    const isRaw = /[{}]/.test(call.path) ? { violation: "braces that are not encoded" } : {};
    return repo === undefined ? { ...refusal(404, NO_REPO), ...isRaw } : answer(backend, repo, parts, call);
  };

const ofCommit = (answer: RepoAnswer): CloudRoute["answer"] =>
  ofRepo(async (backend, repo, parts, call) =>
    (await hasCommit(repo, parts[0] ?? "")) ? answer(backend, repo, parts, call) : refusal(404, "Commit not found"),
  );

/** A page of a list, with the whole address of the next one. */
function paged(backend: Backend, { path, query }: Call, items: unknown[]): Answer {
  const size = Number(query.get("pagelen") ?? 10);
  const page = Number(query.get("page") ?? 1);
  if (size > 100) return { ...refusal(400, "Invalid pagelen"), violation: `a page of ${size}` };
  const next = new URL(backend.apiUrl().replace(/\/2\.0$/, "") + path);
  next.search = query.toString();
  next.searchParams.set("page", String(page + 1));
  const hasNext = items.length > page * size;
  return {
    status: 200,
    body: {
      pagelen: size,
      size: items.length,
      page,
      values: items.slice((page - 1) * size, page * size),
      ...(hasNext ? { next: next.href } : {}),
    },
  };
}

const STATES = ["SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"];
const STATUS_KEYS = ["key", "state", "name", "url", "description", "refname"];

const postStatus: RepoAnswer = (backend, repo, [sha = ""], { body = {} }) => {
  if (!backend.mayWrite) return refusal(403, "Your credentials lack one or more required privilege scopes.");
  const wrong = Object.keys(body).find((key) => !STATUS_KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, "Bad request"), violation: `a status with '${wrong}'` };
  const key = String(body.key ?? "");
  if (key === "") return refusal(400, "key: required key not provided");
  if (key.length > 40) return refusal(400, "key: Ensure this value has at most 40 characters");
  if (!STATES.includes(String(body.state))) return refusal(400, "state: not a valid choice");
  if (!URL.canParse(String(body.url ?? ""))) return refusal(400, "url: Enter a valid URL");
  const known = repo.statuses.get(sha)?.find((one) => one.key === key);
  const status = setStatus(repo, sha, {
    key,
    name: String(body.name ?? key),
    state: String(body.state),
    url: String(body.url),
    description: String(body.description ?? ""),
    refname: body.refname === undefined ? null : String(body.refname),
  });
  backend.onStatus(repo, sha, status, known === undefined);
  return { status: 201, body: statusBody(backend.apiUrl(), repo, sha, status) };
};

/** The one with the same key is overwritten. */
export function setStatus(repo: Repository, sha: string, wanted: Omit<Status, "createdOn" | "updatedOn">): Status {
  const all = repo.statuses.get(sha) ?? [];
  repo.statuses.set(sha, all);
  const now = new Date().toISOString().replace("Z", "000+00:00");
  const known = all.find((one) => one.key === wanted.key);
  if (known !== undefined) return Object.assign(known, wanted, { updatedOn: now });
  const status = { ...wanted, createdOn: now, updatedOn: now };
  all.push(status);
  return status;
}

const HOOK_KEYS = ["description", "url", "active", "events", "secret", "skip_cert_verification"];

/** Null: the webhook was changed. */
function change(hook: Hook, body: Record<string, unknown>): Answer | null {
  const wrong = Object.keys(body).find((key) => !HOOK_KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, "Bad request"), violation: `a webhook with '${wrong}'` };
  const { url, events, secret } = body;
  if (!URL.canParse(String(url ?? ""))) return refusal(400, "url: Enter a valid URL.");
  if (!Array.isArray(events) || events.length === 0) return refusal(400, "events: required key not provided");
  const unknown = events.find((event) => !HOOK_EVENTS.includes(String(event)));
  if (unknown !== undefined)
    return { ...refusal(400, `events: ${unknown} is not valid`), violation: `the event '${unknown}'` };
  hook.url = String(url);
  hook.events = new Set(events.map(String));
  hook.name = String(body.description ?? "");
  hook.isActive = body.active === true;
  if (body.skip_cert_verification !== undefined) hook.verifiesTls = body.skip_cert_verification !== true;
  // Left out, a known secret stays.
  if (secret !== undefined) hook.secret = secret === null || secret === "" ? null : String(secret);
  return null;
}

const ofHooks = (answer: RepoAnswer): CloudRoute["answer"] =>
  ofRepo((backend, repo, parts, call) =>
    backend.mayManageHooks
      ? answer(backend, repo, parts, call)
      : refusal(403, "Your credentials lack one or more required privilege scopes."),
  );

const ofHook = (answer: (repo: Repository, hook: Hook, call: Call) => Answer): CloudRoute["answer"] =>
  ofHooks((_backend, repo, [uid = ""], call) => {
    const hook = repo.hooks.find(({ id }) => `{${id}}` === uid);
    return hook === undefined ? refusal(404, "Webhook not found") : answer(repo, hook, call);
  });

const ROUTES: CloudRoute[] = [
  {
    method: "GET",
    pattern: at("/2\\.0/repositories/([^/]+)"),
    query: [...PAGE, "role", "q", "sort"],
    answer(backend, call, [workspace = ""]) {
      const own = backend.repos.all.filter(({ owner }) => owner === workspace);
      if (own.length === 0) return refusal(404, `No workspace with identifier '${workspace}'.`);
      return paged(
        backend,
        call,
        own.map((repo) => repoBody(backend.cloneUrl(), repo)),
      );
    },
  },
  {
    method: "GET",
    pattern: at(REPO),
    query: [],
    answer: ofRepo((backend, repo) => ({ status: 200, body: repoBody(backend.cloneUrl(), repo) })),
  },
  {
    method: "GET",
    pattern: at(`${COMMIT}/statuses`),
    query: [...PAGE, "refname", "q", "sort"],
    answer: ofCommit((backend, repo, [sha = ""], call) =>
      paged(
        backend,
        call,
        (repo.statuses.get(sha) ?? []).map((status) => statusBody(backend.apiUrl(), repo, sha, status)),
      ),
    ),
  },
  { method: "POST", pattern: at(`${COMMIT}/statuses/build`), query: [], answer: ofCommit(postStatus) },
  {
    method: "GET",
    pattern: at("/2\\.0/workspaces/([^/]+)/hooks"),
    query: PAGE,
    answer(backend, call, [workspace = ""]) {
      if (!backend.mayManageHooks) return refusal(403, "Access denied. You must be a workspace admin.");
      const hooks = backend.workspaceHooks.get(workspace) ?? [];
      return paged(
        backend,
        call,
        hooks.map((hook) => hookBody(hook, "workspace")),
      );
    },
  },
  {
    method: "GET",
    pattern: at(`${REPO}/hooks`),
    query: PAGE,
    answer: ofHooks((backend, repo, _parts, call) =>
      paged(
        backend,
        call,
        repo.hooks.map((hook) => hookBody(hook, "repository")),
      ),
    ),
  },
  {
    method: "POST",
    pattern: at(`${REPO}/hooks`),
    query: [],
    answer: ofHooks((backend, repo, _parts, { body = {} }) => {
      const hook = newHook(backend.nextUuid(), "");
      const wrong = change(hook, body);
      if (wrong !== null) return wrong;
      repo.hooks.push(hook);
      return { status: 201, body: hookBody(hook, "repository") };
    }),
  },
  {
    method: "PUT",
    pattern: at(`${REPO}/hooks/([^/]+)`),
    query: [],
    answer: ofHook((_repo, hook, { body = {} }) => {
      const wrong = change(hook, body);
      return wrong ?? { status: 200, body: hookBody(hook, "repository") };
    }),
  },
  {
    method: "DELETE",
    pattern: at(`${REPO}/hooks/([^/]+)`),
    query: [],
    answer: ofHook((repo, hook) => {
      repo.hooks.splice(repo.hooks.indexOf(hook), 1);
      return { status: 204 };
    }),
  },
];

export function answerTo(backend: Backend, call: Call): Promise<Answer> {
  return answerBy(ROUTES, backend, call, refusal(404, "Resource not found"));
}
