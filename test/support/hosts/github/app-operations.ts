import { type Installation, type Permissions, testKeys } from "./app.ts";
import * as bodies from "./bodies.ts";
import { isObject, type Json, type JsonObject, objectAt } from "./json.ts";
import { example } from "./openapi.ts";
import { type Answer, type Call, failure, type Operation, pageOf } from "./operations.ts";
import type { Hook, SentHook, State } from "./state.ts";

// What an App calls: https://docs.github.com/en/rest/apps. `asApp` operations take the App's own signature only.

export const appOperations: Operation[] = [
  { method: "GET", template: "/app", asApp: true, handle: ({ state }) => ok(appBody(state)) },
  { method: "GET", template: "/orgs/{org}/installation", asApp: true, handle: installationOf },
  { method: "GET", template: "/users/{username}/installation", asApp: true, handle: installationOf },
  {
    method: "POST",
    template: "/app/installations/{installation_id}/access_tokens",
    asApp: true,
    handle: createToken,
  },
  { method: "GET", template: "/app/hook/config", asApp: true, handle: ({ state }) => ok(configOf(hookOf(state))) },
  { method: "PATCH", template: "/app/hook/config", asApp: true, handle: updateConfig },
  { method: "GET", template: "/app/hook/deliveries", asApp: true, handle: listDeliveries },
  { method: "GET", template: "/app/hook/deliveries/{delivery_id}", asApp: true, handle: getDelivery },
  { method: "GET", template: "/installation/repositories", handle: installationRepositories },
  {
    method: "GET",
    template: "/repos/{owner}/{repo}/collaborators/{username}/permission",
    handle: permissionOf,
  },
  { method: "POST", template: "/app-manifests/{code}/conversions", isOpen: true, handle: convertManifest },
];

function ok(body: Json, headers: Record<string, string> = {}): Answer {
  return { status: 200, body, headers };
}

function appOf({ apps }: State) {
  if (apps.app === null) throw new Error("the stand-in has no App: call createApp first");
  return apps.app;
}

function hookOf(state: State): Hook {
  return appOf(state).hook;
}

function appBody(state: State): JsonObject {
  const { id, slug, permissions, events } = appOf(state);
  const body = objectAt(example("integration"));
  return {
    ...body,
    id,
    slug,
    name: slug,
    html_url: `https://github.com/apps/${slug}`,
    permissions: { ...permissions },
    events,
    installations_count: state.apps.installations.length,
  };
}

/** Only the route of its kind knows an owner. */
function installationOf({ state, params }: Call): Answer {
  const found = state.apps.ofOwner(params.org ?? params.username ?? "");
  const isOrganisation = params.org !== undefined;
  if (found === null || (found.ownerType === "Organization") !== isOrganisation) return failure(404, "Not Found");
  return ok(installationBody(state, found));
}

function installationBody(state: State, found: Installation): JsonObject {
  const { id, slug } = appOf(state);
  const body = objectAt(example("installation"));
  const account = objectAt(body, "account");
  return {
    ...body,
    id: found.id,
    app_id: id,
    app_slug: slug,
    account: { ...account, login: found.owner, type: found.ownerType },
    html_url: `https://github.com/organizations/${found.owner}/settings/installations/${found.id}`,
    target_type: found.ownerType,
    repository_selection: found.repoIds === null ? "all" : "selected",
    permissions: { ...found.permissions },
    events: appOf(state).events,
    created_at: found.createdAt,
    updated_at: found.createdAt,
    suspended_at: found.suspendedAt,
    suspended_by: null,
  };
}

function createToken({ state, params, body, nowMs }: Call): Answer {
  const installation = state.apps.installations.find(({ id }) => String(id) === params.installation_id);
  if (installation === undefined) return failure(404, "Not Found");
  if (installation.suspendedAt !== null) return failure(403, "This installation has been suspended");
  const repoIds = Array.isArray(body.repository_ids) ? body.repository_ids.map(Number) : null;
  const isKnown = (id: number) => {
    const repo = state.findById(id);
    return repo !== null && state.apps.of(repo)?.id === installation.id;
  };
  if (repoIds !== null && !repoIds.every(isKnown)) {
    const why = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    return failure(422, why);
  }
  const wanted = isObject(body.permissions) ? (body.permissions as Permissions) : installation.permissions;
  const isGranted = ([name, level]: [string, string]) =>
    installation.permissions[name] === level || installation.permissions[name] === "write";
  if (!Object.entries(wanted).every(isGranted)) {
    return failure(422, "The permissions requested are not granted to this installation.");
  }
  // Metadata is always granted.
  const permissions: Permissions = { metadata: "read", ...wanted };
  const { token, made } = state.apps.makeToken(installation, { repoIds, permissions }, nowMs);
  return {
    status: 201,
    body: {
      token,
      expires_at: new Date(made.expiresAt).toISOString().replace(/\.\d+Z$/, "Z"),
      permissions: { ...permissions },
      repository_selection: repoIds === null && installation.repoIds === null ? "all" : "selected",
    },
  };
}

function installationRepositories(call: Call): Answer {
  const { state, appToken } = call;
  if (appToken === null) return failure(403, "You must authenticate with an installation access token");
  const { installation, repoIds } = appToken;
  const shown = state
    .reposOf(installation.owner)
    .filter((repo) => state.apps.of(repo) !== null && (repoIds === null || repoIds.includes(repo.id)));
  const { items, headers } = pageOf(call, shown);
  return ok({ total_count: shown.length, repositories: items.map((repo) => bodies.listedRepo(repo)) }, headers);
}

function permissionOf({ repo, params }: Call): Answer {
  const login = params.username ?? "";
  const permission = repo?.collaborators.get(login.toLowerCase());
  if (repo === null || permission === undefined) return failure(404, `${login} is not a user`);
  const body = objectAt(example("repository-collaborator-permission-response-if-user-has-admin-permissions"));
  const user = { ...objectAt(body, "user"), login, role_name: permission };
  return ok({ ...body, permission, role_name: permission, user });
}

function configOf({ config }: Hook): JsonObject {
  return {
    ...(config.url === "" ? {} : { url: config.url }),
    content_type: config.contentType,
    insecure_ssl: config.insecureSsl,
    ...(config.secret === null ? {} : { secret: "********" }),
  };
}

function updateConfig({ state, body }: Call): Answer {
  const hook = hookOf(state);
  const text = (key: string, before: string) => (typeof body[key] === "string" ? body[key] : before);
  hook.config = {
    url: text("url", hook.config.url),
    contentType: text("content_type", hook.config.contentType) as "json" | "form",
    secret: typeof body.secret === "string" ? body.secret : hook.config.secret,
    insecureSsl: text("insecure_ssl", hook.config.insecureSsl) as "0" | "1",
  };
  return ok(configOf(hook));
}

/** Pages by a cursor in `Link`, as GitHub's. */
function listDeliveries({ state, url }: Call): Answer {
  const query = url.searchParams;
  const isFailed = ({ status }: SentHook) => status < 200 || status > 299;
  const wanted = hookOf(state)
    .sent.toReversed()
    .filter((sent) => query.get("status") === null || isFailed(sent) === (query.get("status") === "failure"));
  const size = Number(query.get("per_page") ?? 30);
  const from = Number(query.get("cursor") ?? 0);
  const next = new URL(url);
  next.searchParams.set("cursor", String(from + size));
  const headers: Record<string, string> = from + size < wanted.length ? { link: `<${next.href}>; rel="next"` } : {};
  return ok(wanted.slice(from, from + size).map(deliveryOf), headers);
}

function getDelivery({ state, params }: Call): Answer {
  const sent = hookOf(state).sent.find(({ id }) => String(id) === params.delivery_id);
  if (sent === undefined) return failure(404, "Not Found");
  const request = { headers: {}, payload: sent.payload ?? {} };
  const response = { headers: {}, payload: sent.answer };
  return ok({ ...deliveryOf(sent), url: hookOf(state).config.url, request, response });
}

function deliveryOf(sent: SentHook): JsonObject {
  const { id, guid, at, event, action, status } = sent;
  const word = status === 0 ? "failed to connect to host" : `Invalid HTTP Response: ${status}`;
  return {
    ...{ id, guid, delivered_at: at, redelivery: false, duration: 0.27 },
    ...{ status: status >= 200 && status < 300 ? "OK" : word, status_code: status, event, action },
    ...{ installation_id: 1, repository_id: null, throttled_at: null },
  };
}

/** The code is good once. */
function convertManifest({ state, params }: Call): Answer {
  const manifest = state.apps.manifests.get(params.code ?? "");
  if (manifest === undefined) return failure(404, "Not Found");
  state.apps.manifests.delete(params.code ?? "");
  const body = objectAt(example("integration-from-manifest"));
  const slug = String(manifest.name);
  return {
    status: 201,
    body: {
      ...body,
      id: state.nextId(),
      slug,
      name: slug,
      html_url: `https://github.com/apps/${slug}`,
      pem: testKeys.pkcs1,
      webhook_secret: "secret-of-the-new-app",
    },
  };
}
