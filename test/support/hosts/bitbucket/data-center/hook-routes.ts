import type { Answer, Call } from "../front.ts";
import { type Hook, newHook } from "../hooks.ts";
import { at, type DataCenterRoute, ofRepo, paged, REPO, type RepoAnswer } from "./backend.ts";
import { HOOK_EVENTS, hookBody, invocationBody, NO_RIGHT, type Repository, refusal } from "./state.ts";

const HOOK_KEYS = ["name", "events", "configuration", "url", "active", "sslVerificationRequired"];

/** Null: the webhook was changed. */
function change(hook: Hook, body: Record<string, unknown>): Answer | null {
  const wrong = Object.keys(body).find((key) => !HOOK_KEYS.includes(key));
  if (wrong !== undefined) return { ...refusal(400, "Unrecognized field"), violation: `a webhook with '${wrong}'` };
  const { name, url, events, configuration, active, sslVerificationRequired } = body;
  if (typeof name !== "string" || name === "") return refusal(400, "Please provide a name");
  if (!URL.canParse(String(url ?? ""))) return refusal(400, "The URL should have a protocol and a host");
  if (!Array.isArray(events) || events.length === 0) return refusal(400, "At least one event must be selected");
  const unknown = events.find((event) => !HOOK_EVENTS.includes(String(event)));
  if (unknown !== undefined) return { ...refusal(400, `${unknown} is no event`), violation: `the event '${unknown}'` };
  const secret = (configuration as { secret?: unknown } | undefined)?.secret;
  hook.name = name;
  hook.url = String(url);
  hook.events = new Set(events.map(String));
  hook.isActive = active !== false;
  hook.verifiesTls = sslVerificationRequired !== false;
  // The whole is replaced: a secret that is left out is gone.
  hook.secret = secret == null || secret === "" ? null : String(secret);
  return null;
}

const ofHooks = (answer: RepoAnswer): DataCenterRoute["answer"] =>
  ofRepo((backend, repo, parts, call) => (backend.isAdmin ? answer(backend, repo, parts, call) : NO_RIGHT));

const ofHook = (answer: (repo: Repository, hook: Hook, call: Call) => Answer): DataCenterRoute["answer"] =>
  ofHooks((_backend, repo, [id], call) => {
    const hook = repo.hooks.find((one) => one.id === id);
    return hook === undefined ? refusal(404, `The webhook ${id} does not exist`) : answer(repo, hook, call);
  });

/** The last invocation with an event or an outcome. Without one there is no content. */
function latest(hook: Hook, { query }: Call): Answer {
  const found = hook.sent
    .map((sent) => invocationBody(hook, sent))
    .filter((one) => query.get("event") === null || one.event === query.get("event"))
    .filter(
      (one) => query.get("outcome") === null || (one.result as { outcome: string }).outcome === query.get("outcome"),
    );
  return found.length === 0 ? { status: 204 } : { status: 200, body: found.at(-1) };
}

export function hookRoutes(): DataCenterRoute[] {
  return [
    {
      method: "GET",
      pattern: at("/rest/api/(?:latest|1\\.0)/projects/([^/]+)/webhooks"),
      query: ["start", "limit", "event", "statistics"],
      answer: (backend, call, [project = ""]) =>
        backend.isAdmin
          ? paged(
              call,
              (backend.projectHooks.get(project) ?? []).map((hook) => hookBody(hook, "project")),
            )
          : NO_RIGHT,
    },
    {
      method: "GET",
      pattern: at("/rest/api/(?:latest|1\\.0)/projects/([^/]+)/webhooks/(\\d+)/latest"),
      query: ["event", "outcome"],
      answer(backend, call, [project = "", id]) {
        const hook = backend.projectHooks.get(project)?.find((one) => one.id === id);
        return hook === undefined ? refusal(404, "no such webhook") : latest(hook, call);
      },
    },
    {
      method: "GET",
      pattern: at(`${REPO}/webhooks`),
      query: ["start", "limit", "event", "statistics"],
      answer: ofHooks((_backend, repo, _parts, call) =>
        paged(
          call,
          repo.hooks.map((hook) => hookBody(hook, "repository")),
        ),
      ),
    },
    {
      method: "POST",
      pattern: at(`${REPO}/webhooks`),
      query: [],
      answer: ofHooks((backend, repo, _parts, { body = {} }) => {
        const hook = newHook(String(backend.nextId()), "");
        const wrong = change(hook, body);
        if (wrong !== null) return wrong;
        repo.hooks.push(hook);
        return { status: 201, body: hookBody(hook, "repository") };
      }),
    },
    {
      method: "PUT",
      pattern: at(`${REPO}/webhooks/(\\d+)`),
      query: [],
      answer: ofHook((_repo, hook, { body = {} }) => {
        const wrong = change(hook, body);
        return wrong ?? { status: 200, body: hookBody(hook, "repository") };
      }),
    },
    {
      method: "DELETE",
      pattern: at(`${REPO}/webhooks/(\\d+)`),
      query: [],
      answer: ofHook((repo, hook) => {
        repo.hooks.splice(repo.hooks.indexOf(hook), 1);
        return { status: 204 };
      }),
    },
    {
      method: "GET",
      pattern: at(`${REPO}/webhooks/(\\d+)/latest`),
      query: ["event", "outcome"],
      answer: ofHook((_repo, hook, call) => latest(hook, call)),
    },
    {
      method: "POST",
      pattern: at(`${REPO}/webhooks/test`),
      query: ["url", "webhookId", "sslVerificationRequired"],
      answer: ofHooks((backend, _repo, _parts, { query }) =>
        backend.onTest(query.get("url") ?? "", query.get("webhookId")),
      ),
    },
  ];
}
