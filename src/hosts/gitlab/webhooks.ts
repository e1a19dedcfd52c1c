import { Refused, TransientError } from "../../delivery/errors.ts";
import { shownAddress } from "../../delivery/webhook-address.ts";
import type { HostRepo, HostWebhooks, WebhookAddress, WebhookChange, WebhookDelivery, WebhookState } from "../host.ts";
import { doublesText, ownHooks } from "../own-hooks.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined, unlessDeclined } from "../rest/failure.ts";
import { faultsOf, type GitLabHook, readDeliveries, readHooks, WEBHOOK_EVENTS } from "./hook-facts.ts";
import type { WebhookProof } from "./signature.ts";

const RIGHTS =
  "the token needs the scope 'api', and its owner the role Maintainer or Owner of the project (a project access token: that role)";

/** So many deliveries are shown. */
const MAX_DELIVERIES = 10;

export interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  proof: WebhookProof;
  /** Null: GitLab shows nobody's webhooks without one. */
  token: string | null;
}

/** https://docs.gitlab.com/api/project_webhooks/ and https://docs.gitlab.com/api/group_webhooks/ */
export function gitlabWebhooks(api: RestApi, options: WebhookOptions): HostWebhooks {
  const registrar: Registrar = { api, ...options, bySignature: "signing_token" in options.proof.settings };
  return {
    check: async (repo, address) =>
      options.token === null ? { kind: "hidden", because: withoutToken(options.key) } : check(registrar, repo, address),
    add: async (repo, address) => {
      requireToken(options);
      return add(registrar, repo, address);
    },
    remove: async (repo, address) => {
      requireToken(options);
      return remove(registrar, repo, address);
    },
    ping: () => signedPing(options.proof),
  };
}

interface Registrar extends WebhookOptions {
  api: RestApi;
  bySignature: boolean;
}

const urlOf = ({ url }: GitLabHook) => url;
const ofProject = ({ hostId }: HostRepo) => path`/projects/${hostId}/hooks`;

async function check(registrar: Registrar, repo: HostRepo, address: WebhookAddress): Promise<WebhookState> {
  const listed = await listHooks(registrar.api, ofProject(repo));
  if (listed instanceof Declined) return { kind: "hidden", because: `${listed.message}: ${RIGHTS}.` };
  const own = ownHooks(listed, urlOf, address);
  if (own.length > 0) return stateOf(registrar, { on: "repo", route: ofProject(repo) }, own, address);
  // Groups have webhooks in paid tiers only.
  for (const group of groupsAbove(repo.owner)) {
    const route = path`/groups/${group}/hooks`;
    const shared = await listHooks(registrar.api, route);
    if (shared instanceof Declined) continue;
    const found = ownHooks(shared, urlOf, address);
    if (found.length > 0) return stateOf(registrar, { on: "owner", route }, found, address);
  }
  return { kind: "missing", unseen: null };
}

/** `a/b/c`, `a/b` and `a`: a webhook of a group is for all groups within it. */
function groupsAbove(owner: string): string[] {
  const segments = owner.split("/");
  return segments.map((_segment, at) => segments.slice(0, segments.length - at).join("/"));
}

async function stateOf(
  { api, bySignature }: Registrar,
  place: { on: "repo" | "owner"; route: string },
  [first, ...doubles]: GitLabHook[],
  { url }: WebhookAddress,
): Promise<WebhookState> {
  if (first === undefined) return { kind: "missing", unseen: null };
  const faults = faultsOf(first, url, bySignature);
  if (doubles.length > 0) faults.push(doublesText(doubles));
  const webhook = { id: String(first.id), url: shownAddress(first.url), on: place.on, faults };
  return { kind: "registered", webhook, deliveries: await lastDeliveries(api, `${place.route}/${first.id}`) };
}

/** The newest first. GitLab before 17.3 has no such list. */
async function lastDeliveries(api: RestApi, route: string): Promise<WebhookDelivery[]> {
  const listed = await unlessDeclined(api.get(`${route}/events`, { per_page: MAX_DELIVERIES }), []);
  return readDeliveries(Array.isArray(listed) ? listed : [listed]).toSorted((a, b) => b.at - a.at);
}

async function add(registrar: Registrar, repo: HostRepo, address: WebhookAddress): Promise<WebhookChange> {
  const { api, key } = registrar;
  const own = ownHooks(await requireHooks(registrar, repo), urlOf, address);
  try {
    if (own.length > 0) return await repair(registrar, repo, own, address);
    const state = await check(registrar, repo, address);
    if (state.kind === "registered" && state.webhook.faults.length === 0) return { kind: "covered", url: address.url };
    const [added] = readHooks([await api.post(ofProject(repo), wantedOf(registrar, address))]);
    if (added !== undefined) await sendTest(api, `${ofProject(repo)}/${added.id}`);
    return { kind: "added", url: address.url };
  } catch (error) {
    throw error instanceof Declined ? refusal(error, key, repo, address) : error;
  }
}

function wantedOf({ proof }: Registrar, { url }: WebhookAddress): Record<string, unknown> {
  const events = Object.fromEntries(WEBHOOK_EVENTS.map((event) => [event, true]));
  return { url, ...events, ...proof.settings, enable_ssl_verification: true, branch_filter_strategy: "all_branches" };
}

async function repair(
  registrar: Registrar,
  repo: HostRepo,
  [first, ...doubles]: GitLabHook[],
  address: WebhookAddress,
): Promise<WebhookChange> {
  const { api, bySignature } = registrar;
  const { url } = address;
  if (first === undefined) return { kind: "renewed", url };
  const route = `${ofProject(repo)}/${first.id}`;
  const changes = faultsOf(first, url, bySignature);
  if (doubles.length > 0) changes.push(doublesText(doubles));
  for (const double of doubles) await removeHook(api, `${ofProject(repo)}/${double.id}`);
  await api.put(route, { ...wantedOf(registrar, address), custom_webhook_template: "" });
  await sendTest(api, route);
  return changes.length === 0 ? { kind: "renewed", url } : { kind: "repaired", url, changes };
}

/**
 * GitLab sends the last push, which changes nothing here. It shows whether deliverd is reached, and switches a webhook on
 * again. What came of it is among the deliveries: an empty project and an older GitLab have no test, and five a minute
 * are allowed.
 */
async function sendTest(api: RestApi, route: string): Promise<void> {
  try {
    await api.post(`${route}/test/push_events`, {});
  } catch (error) {
    if (!(error instanceof Declined || error instanceof TransientError)) throw error;
  }
}

async function remove(registrar: Registrar, repo: HostRepo, address: WebhookAddress): Promise<string[]> {
  const own = ownHooks(await requireHooks(registrar, repo), urlOf, address);
  for (const { id } of own) {
    try {
      await removeHook(registrar.api, `${ofProject(repo)}/${id}`);
    } catch (error) {
      throw error instanceof Declined ? refusal(error, registrar.key, repo, address) : error;
    }
  }
  return own.map(({ url }) => shownAddress(url));
}

async function removeHook(api: RestApi, route: string): Promise<void> {
  try {
    await api.delete(route);
  } catch (error) {
    // It is gone: another call, or our first attempt, has removed it. Without the right, the list was refused already.
    if (!(error instanceof Declined && error.status === 404)) throw error;
  }
}

/** Declined: the token may not see them. @throws TransientError */
async function listHooks(api: RestApi, route: string): Promise<GitLabHook[] | Declined> {
  try {
    return readHooks(await api.list(route));
  } catch (error) {
    if (error instanceof Declined) return error;
    throw error;
  }
}

async function requireHooks({ api, key }: Registrar, repo: HostRepo): Promise<GitLabHook[]> {
  const hooks = await listHooks(api, ofProject(repo));
  if (hooks instanceof Declined) throw forbidden(hooks, key, repo);
  return hooks;
}

function refusal(error: Declined, key: string, repo: HostRepo, { url }: WebhookAddress): Refused {
  if (error.status === 403 || error.status === 404) return forbidden(error, key, repo);
  return new Refused(
    "gitlab-webhook-refused",
    `GitLab does not take ${url} as a webhook of ${repo.owner}/${repo.name} (${error.status}): ${error.message}`,
  );
}

function forbidden({ status, message }: Declined, key: string, { owner, name }: HostRepo): Refused {
  return new Refused(
    "gitlab-webhooks-forbidden",
    `GitLab does not let the token of hosts.${key} manage the webhooks of ${owner}/${name} (${status}, ${message}): ${RIGHTS}.`,
  );
}

function requireToken({ key, token }: WebhookOptions): void {
  if (token === null) throw new Refused("gitlab-webhooks-forbidden", withoutToken(key));
}

function withoutToken(key: string): string {
  return `hosts.${key}.token is not set, and GitLab shows webhooks only with a token: ${RIGHTS}.`;
}

function signedPing(proof: WebhookProof): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ object_kind: "ping" }));
  return { headers: { "content-type": "application/json", ...proof.headersFor(body, Date.now()) }, body };
}
