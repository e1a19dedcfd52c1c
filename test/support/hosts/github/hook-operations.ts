import { isObject, type Json, type JsonObject } from "./json.ts";
import { eventNames, example } from "./openapi.ts";
import { type Answer, type Call, failure, type Operation, pageOf } from "./operations.ts";
import type { Hook, HookRights, SentHook } from "./state.ts";

// Webhooks of repos and organisations: https://docs.github.com/en/rest/repos/webhooks and …/rest/orgs/webhooks

const OF_REPO = "/repos/{owner}/{repo}/hooks";
const OF_ORGANISATION = "/orgs/{org}/hooks";

/** GitHub's limit of hooks of one event on one repo. */
const MAX_HOOKS_OF_EVENT = 20;

/** Where hooks are, for one call. */
interface Place {
  /** Null: there is no such owner, or it is no organisation. */
  hooks: Hook[] | null;
  kind: "Repository" | "Organization";
  path: string;
}

export const hookOperations: Operation[] = [
  { method: "GET", template: OF_REPO, handle: reading(list) },
  { method: "POST", template: OF_REPO, handle: writing(create) },
  { method: "PATCH", template: `${OF_REPO}/{hook_id}`, handle: writing(ofHook(update)) },
  { method: "DELETE", template: `${OF_REPO}/{hook_id}`, handle: writing(ofHook(remove)) },
  { method: "POST", template: `${OF_REPO}/{hook_id}/pings`, handle: writing(ofHook(ping)) },
  ...[OF_REPO, OF_ORGANISATION].flatMap((place): Operation[] => [
    { method: "GET", template: `${place}/{hook_id}/deliveries`, handle: reading(ofHook(listDeliveries)) },
    { method: "GET", template: `${place}/{hook_id}/deliveries/{delivery_id}`, handle: reading(ofHook(getDelivery)) },
  ]),
  { method: "GET", template: OF_ORGANISATION, handle: reading(list) },
];

type Handler = (call: Call, place: Place) => Answer;

function reading(handler: Handler): Operation["handle"] {
  return guarded(
    handler,
    (rights, kind) => (kind === "Repository" ? rights.ofRepos : rights.ofOrganisations) !== "none",
  );
}

function writing(handler: Handler): Operation["handle"] {
  return guarded(handler, (rights) => rights.ofRepos === "write");
}

function guarded(handler: Handler, may: (rights: HookRights, kind: Place["kind"]) => boolean): Operation["handle"] {
  return (call) => {
    const place = placeOf(call);
    const rights = call.state.hookRights.get(call.token);
    if (place.hooks === null) return failure(404, "Not Found");
    if (rights !== undefined && !may(rights, place.kind)) {
      // A fine-grained token is told what it lacks, a classic one is not.
      return failure(
        rights.answer,
        rights.answer === 404 ? "Not Found" : "Resource not accessible by personal access token",
      );
    }
    return handler(call, place);
  };
}

function placeOf({ state, repo, params }: Call): Place {
  if (repo !== null) return { hooks: repo.hooks, kind: "Repository", path: `/repos/${repo.owner}/${repo.name}/hooks` };
  const owner = params.org ?? "";
  const isOrganisation = state.reposOf(owner).some(({ ownerType }) => ownerType === "Organization");
  return {
    hooks: isOrganisation ? state.hooksOfOrganisation(owner) : null,
    kind: "Organization",
    path: `/orgs/${owner}/hooks`,
  };
}

function ofHook(handler: (call: Call, hook: Hook, place: Place) => Answer): Handler {
  return (call, place) => {
    const hook = (place.hooks ?? []).find(({ id }) => String(id) === call.params.hook_id);
    return hook === undefined ? failure(404, "Not Found") : handler(call, hook, place);
  };
}

function list(call: Call, place: Place): Answer {
  const { items, headers } = pageOf(call, place.hooks ?? []);
  return { status: 200, body: items.map((hook) => bodyOf(hook, place)), headers };
}

function create(call: Call, place: Place): Answer {
  const { body, state, now } = call;
  if (body.name !== undefined && body.name !== "web") return invalid("name", "name is invalid");
  const wanted = settingsOf(body, { events: ["push"], active: true });
  const refused = refusalOf(wanted, place.hooks ?? []);
  if (refused !== null) return refused;
  const hook: Hook = { id: state.nextId(), ...wanted, createdAt: now, updatedAt: now, sent: [] };
  place.hooks?.push(hook);
  if (call.repo !== null) call.onPing(call.repo, hook);
  return { status: 201, body: bodyOf(hook, place) };
}

function update(call: Call, hook: Hook, place: Place): Answer {
  const wanted = settingsOf(call.body, hook);
  const others = (place.hooks ?? []).filter((other) => other !== hook);
  const refused = refusalOf(wanted, others);
  if (refused !== null) return refused;
  Object.assign(hook, wanted, { updatedAt: call.now });
  return { status: 200, body: bodyOf(hook, place) };
}

function remove(_call: Call, hook: Hook, { hooks }: Place): Answer {
  hooks?.splice(hooks.indexOf(hook), 1);
  return { status: 204, body: null };
}

function ping(call: Call, hook: Hook): Answer {
  if (call.repo !== null) call.onPing(call.repo, hook);
  return { status: 204, body: null };
}

function listDeliveries(call: Call, hook: Hook): Answer {
  const size = Number(call.url.searchParams.get("per_page") ?? 30);
  return {
    status: 200,
    body: hook.sent
      .toReversed()
      .slice(0, size)
      .map((sent) => deliveryOf(sent)),
  };
}

function getDelivery({ params }: Call, hook: Hook): Answer {
  const sent = hook.sent.find(({ id }) => String(id) === params.delivery_id);
  if (sent === undefined) return failure(404, "Not Found");
  const request = { headers: {}, payload: {} };
  const response = { headers: {}, payload: sent.answer };
  return { status: 200, body: { ...deliveryOf(sent), url: hook.config.url, request, response } };
}

type Settings = Pick<Hook, "active" | "events" | "config">;

/** A config that is given replaces the whole one, its secret too. */
function settingsOf(body: JsonObject, before: Partial<Settings>): Settings {
  const texts = (value: Json | undefined) => (Array.isArray(value) ? value.map(String) : null);
  const given = isObject(body.config) ? body.config : null;
  const none: Hook["config"] = { url: "", contentType: "form", secret: null, insecureSsl: "0" };
  const text = (value: Json | undefined) => (value === undefined || value === null ? null : String(value));
  const config = given && {
    url: text(given.url) ?? "",
    contentType: (text(given.content_type) ?? "form") as "json" | "form",
    secret: text(given.secret),
    insecureSsl: (text(given.insecure_ssl) ?? "0") as "0" | "1",
  };
  return {
    active: typeof body.active === "boolean" ? body.active : (before.active ?? true),
    events: texts(body.events) ?? before.events ?? [],
    config: config ?? before.config ?? none,
  };
}

/** What GitHub answers 422. */
function refusalOf({ config, events }: Settings, others: readonly Hook[]): Answer | null {
  if (!URL.canParse(config.url) || !/^https?:$/.test(new URL(config.url).protocol)) {
    return invalid("url", "url is missing a scheme");
  }
  if (new URL(config.url).hostname === "localhost") {
    const reason = "because it isn't reachable over the public Internet";
    return invalid("url", `Sorry, the URL host localhost is not supported ${reason}`);
  }
  if (!["json", "form"].includes(config.contentType)) return invalid("content_type", "content_type is not supported");
  const unknown = events.filter((event) => event !== "*" && !eventNames().has(event));
  if (events.length === 0 || unknown.length > 0)
    return invalid("events", `events are not known: ${unknown.join(", ")}`);
  const overlaps = (one: Hook) =>
    one.events.some((event) => event === "*" || events.includes(event)) || events.includes("*");
  if (others.some((one) => one.config.url === config.url && overlaps(one))) {
    return invalid(null, "Hook already exists on this repository");
  }
  const crowded = events.find(
    (event) => others.filter((one) => one.events.includes(event)).length >= MAX_HOOKS_OF_EVENT,
  );
  if (crowded !== undefined) return invalid(null, `The "${crowded}" event cannot have more than 20 hooks`);
  return null;
}

function invalid(field: string | null, message: string): Answer {
  const where = field === null ? {} : { field };
  return failure(422, "Validation Failed", { errors: [{ resource: "Hook", code: "custom", ...where, message }] });
}

function bodyOf({ id, active, events, config, createdAt, updatedAt, sent }: Hook, { kind, path }: Place): JsonObject {
  const url = `https://api.github.com${path}/${id}`;
  const last = sent.at(-1);
  const body: JsonObject = {
    ...(example("hook") as JsonObject),
    type: kind,
    id,
    active,
    events,
    config: {
      url: config.url,
      content_type: config.contentType,
      insecure_ssl: config.insecureSsl,
      // The secret itself is never shown.
      ...(config.secret === null ? {} : { secret: "********" }),
    },
    created_at: createdAt,
    updated_at: updatedAt,
    url,
    ping_url: `${url}/pings`,
    deliveries_url: `${url}/deliveries`,
  };
  if (kind === "Organization") {
    const { test_url: _test, last_response: _last, ...ofOrganisation } = body;
    return ofOrganisation;
  }
  const last_response = {
    code: last?.status || null,
    status: last === undefined ? "unused" : wordOf(last),
    message: null,
  };
  return { ...body, test_url: `${url}/test`, last_response };
}

function deliveryOf(sent: SentHook): JsonObject {
  const { id, guid, at, event, action, status } = sent;
  return {
    ...{ id, guid, delivered_at: at, redelivery: false, duration: 0.27, status: wordOf(sent) },
    ...{ status_code: status, event, action, installation_id: null, repository_id: null, throttled_at: null },
  };
}

function wordOf({ status }: SentHook): string {
  if (status === 0) return "failed to connect to host";
  return status < 300 ? "OK" : `Invalid HTTP Response: ${status}`;
}
