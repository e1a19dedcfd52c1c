import { type AppToken, mayCall } from "./app.ts";
import { appOperations } from "./app-operations.ts";
import { checkOperations } from "./check-operations.ts";
import { hookOperations } from "./hook-operations.ts";
import { isObject, type Json } from "./json.ts";
import { queryMistakes, requestMistakes, responseMistakes, takesBody } from "./openapi.ts";
import { type Answer, failure, type Operation, operations } from "./operations.ts";
import type { CheckRun, Hook, Repo, State, Status } from "./state.ts";

export interface Asked {
  method: string;
  /** Path and query. */
  path: string;
  /** The body; empty for none. */
  text: string;
  /** One that the stand-in knows; empty for the App's own signature, or none. */
  token: string;
  /** The App itself has signed it. */
  isApp: boolean;
}

export interface House {
  /** Of this server, without a slash at the end. */
  url: string;
  state: State;
  violations: string[];
  /** Spoils answers before they are checked: how the stand-in's own test shows that it checks them. */
  spoil: ((template: string, body: Json) => Json) | null;
  now(): number;
  onStatus(repo: Repo, sha: string, status: Status): void;
  /** Told of a webhook that is to be pinged. */
  onPing(repo: Repo, hook: Hook): void;
  /** Told of a check run that an App has made or ended. */
  onCheckRun(repo: Repo, sha: string, run: CheckRun, action: "created" | "completed"): void;
}

/** What GitHub answers. A request or an answer that GitHub's description does not know is noted as a violation. */
export async function answerTo(house: House, asked: Asked): Promise<Answer> {
  const note = (mistakes: string[]): Answer => {
    house.violations.push(...mistakes.map((mistake) => `${asked.method} ${asked.path}: ${mistake}`));
    return failure(500, `Not as GitHub describes it: ${mistakes.join("; ")}`);
  };
  const url = withName(house.state, new URL(asked.path, house.url));
  const route = routeOf(asked.method, url.pathname);
  if (route === null) {
    note(["not among the calls that the stand-in serves"]);
    return failure(404, "Not Found");
  }
  const body = parsed(asked.text);
  if (body === null) {
    note(["the body is no JSON"]);
    return failure(400, "Problems parsing JSON");
  }
  const mistakes = mistakesOf(route.operation, url.searchParams, body.json);
  if (mistakes.length > 0) {
    const answer = note(mistakes);
    // The one mistake whose answer GitHub documents.
    return mistakes.every((mistake) => mistake.includes("body/state ")) ? failure(422, "Validation Failed") : answer;
  }
  const answer = await handled(house, asked, route, url, body.json);
  if (house.spoil) answer.body = house.spoil(route.operation.template, answer.body);
  const wrong = responseMistakes(route.operation.method, route.operation.template, answer.status, answer.body);
  return wrong.length > 0 ? note(wrong) : answer;
}

interface Route {
  operation: Operation;
  params: Record<string, string>;
}

const patterns = [...operations, ...hookOperations, ...appOperations, ...checkOperations].map((operation) => ({
  operation,
  pattern: patternOf(operation.template),
}));

/** Refs and branches may span segments, as GitHub allows them to. */
function patternOf(template: string): RegExp {
  const source = template.replace(/\{(\w+)\}/g, (_all, name: string) =>
    ["ref", "branch", "sha"].includes(name) ? `(?<${name}>.+?)` : `(?<${name}>[^/]+)`,
  );
  return new RegExp(`^${source}$`);
}

function routeOf(method: string, path: string): Route | null {
  for (const { operation, pattern } of patterns) {
    const match = operation.method === method ? pattern.exec(path) : null;
    if (match) return { operation, params: decoded(match.groups ?? {}) };
  }
  return null;
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
}

/** Undefined for no body at all; null for one that is no JSON. */
function parsed(text: string): { json: Json | undefined } | null {
  if (text === "") return { json: undefined };
  try {
    return { json: JSON.parse(text) };
  } catch {
    return null;
  }
}

function mistakesOf({ method, template }: Operation, query: URLSearchParams, body: Json | undefined): string[] {
  const mistakes = [...queryMistakes(method, template, query), ...pageMistakes(query)];
  const expectsBody = (method === "POST" || method === "PATCH") && takesBody(method, template);
  if (body !== undefined || expectsBody) mistakes.push(...requestMistakes(method, template, body ?? null));
  return mistakes;
}

/** What the description says of pages in words only. */
function pageMistakes(query: URLSearchParams): string[] {
  const size = query.get("per_page");
  const page = query.get("page");
  return [
    ...(size !== null && (Number(size) < 1 || Number(size) > 100) ? [`per_page=${size} is not within 1 to 100`] : []),
    ...(page !== null && Number(page) < 1 ? [`page=${page} is below 1`] : []),
  ];
}

async function handled(
  house: House,
  { token, isApp }: Asked,
  { operation, params }: Route,
  url: URL,
  body: Json | undefined,
): Promise<Answer> {
  const { state, onStatus, onPing, onCheckRun } = house;
  const appToken = state.apps.tokenOf(token, house.now());
  const refused = loginRefusal(operation, isApp, appToken);
  if (refused !== null) return refused;
  const name = { owner: params.owner ?? "", name: params.repo ?? "" };
  const repo = state.find(name);
  if (operation.template.startsWith("/repos/") && (repo === null || !state.shows(repo, token))) {
    const moved = repo === null ? state.findMoved(name) : null;
    if (moved === null || !state.shows(moved, token)) return failure(404, "Not Found");
    const location = locationOf(house, moved, url);
    return {
      ...failure(operation.method === "GET" ? 301 : 307, "Moved Permanently", { url: location }),
      headers: { location },
    };
  }
  const now = new Date(house.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const more = { nowMs: house.now(), appToken, onStatus, onPing, onCheckRun };
  return operation.handle({ state, token, url, params, repo, body: isObject(body) ? body : {}, now, ...more });
}

/** GitHub tells logins apart: the App itself, an installation with its permissions, and people's tokens. */
function loginRefusal({ method, template, asApp, isOpen }: Operation, isApp: boolean, appToken: AppToken | null) {
  if (isOpen) return null;
  if (asApp) return isApp ? null : failure(401, "A JSON web token could not be decoded");
  if (isApp) return failure(401, "Bad credentials");
  if (appToken === null) return null;
  if (appToken.installation.suspendedAt !== null) return failure(403, "This installation has been suspended");
  return mayCall(appToken, method, template) ? null : failure(403, "Resource not accessible by integration");
}

/** GitHub sends on by id, which no further rename breaks. */
function locationOf(house: House, repo: Repo, url: URL): string {
  const rest = url.pathname.split("/").slice(4);
  return `${house.url}/${["repositories", repo.id, ...rest].join("/")}${url.search}`;
}

/** `/repositories/<id>/…` is another spelling of `/repos/<owner>/<name>/…`. */
function withName(state: State, url: URL): URL {
  const [, id, rest = ""] = /^\/repositories\/(\d+)(\/.*)?$/.exec(url.pathname) ?? [];
  const repo = id === undefined ? null : state.findById(Number(id));
  if (repo !== null) url.pathname = `/repos/${repo.owner}/${repo.name}${rest}`;
  return url;
}
