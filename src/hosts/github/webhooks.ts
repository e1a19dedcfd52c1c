import { createHmac, randomUUID } from "node:crypto";
import * as z from "zod";
import { Refused } from "../../delivery/errors.ts";
import { shownAddress } from "../../delivery/webhook-address.ts";
import type { HostRepo, HostWebhooks, WebhookAddress, WebhookChange, WebhookDelivery, WebhookState } from "../host.ts";
import { doublesText } from "../own-hooks.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { WEBHOOK_EVENTS } from "./hints.ts";
import { answerOf, excessOf, faultsOf, type GitHubHook, ownHooks, readDeliveries, readHooks } from "./hook-facts.ts";

const RIGHTS =
  "a classic token needs the scope 'admin:repo_hook', which 'repo' includes; a fine-grained token or an app needs " +
  "'Webhooks: read and write'. Either way its owner must administer the repo";

/** So many deliveries are shown. */
const MAX_DELIVERIES = 10;

export interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  webhookSecret: string;
  /** Null: GitHub shows nobody's webhooks without one. */
  token: string | null;
}

/** https://docs.github.com/en/rest/repos/webhooks and https://docs.github.com/en/rest/orgs/webhooks */
export function githubWebhooks(api: GitHubApi, options: WebhookOptions): HostWebhooks {
  return {
    check: async (repo, address) =>
      options.token === null ? { kind: "hidden", because: withoutToken(options.key) } : check(api, repo, address),
    add: async (repo, address) => {
      requireToken(options);
      return add(api, options, repo, address);
    },
    remove: async (repo, address) => {
      requireToken(options);
      return remove(api, options.key, repo, address);
    },
    ping: () => signedPing(options.webhookSecret),
  };
}

/** Where webhooks are registered, as parts of GitHub's routes. */
interface Place {
  on: "repo" | "owner";
  path: string;
  parameters: Record<string, string>;
}

function placeOfRepo({ owner, name }: HostRepo): Place {
  return { on: "repo", path: "/repos/{owner}/{repo}/hooks", parameters: { owner, repo: name } };
}

function placeOfOrganisation({ owner }: HostRepo): Place {
  return { on: "owner", path: "/orgs/{org}/hooks", parameters: { org: owner } };
}

async function check(api: GitHubApi, repo: HostRepo, address: WebhookAddress): Promise<WebhookState> {
  const ofRepo = await listHooks(api, placeOfRepo(repo));
  if (ofRepo instanceof Declined) return { kind: "hidden", because: `${ofRepo.message}: ${RIGHTS}.` };
  const own = ownHooks(ofRepo, address);
  if (own.length > 0) return stateOf(api, placeOfRepo(repo), own, address);
  const ofOwner = await listHooks(api, placeOfOrganisation(repo));
  if (ofOwner instanceof Declined) return { kind: "missing", unseen: await unseenOf(api, repo) };
  const shared = ownHooks(ofOwner, address);
  return shared.length > 0
    ? stateOf(api, placeOfOrganisation(repo), shared, address)
    : { kind: "missing", unseen: null };
}

async function stateOf(
  api: GitHubApi,
  place: Place,
  [first, ...doubles]: GitHubHook[],
  { url }: WebhookAddress,
): Promise<WebhookState> {
  if (first === undefined) return { kind: "missing", unseen: null };
  const faults = faultsOf(first, url, WEBHOOK_EVENTS);
  if (doubles.length > 0) faults.push(textOf(doubles));
  const webhook = { id: String(first.id), url: shownAddress(first.config.url), on: place.on, faults };
  return { kind: "registered", webhook, deliveries: await lastDeliveries(api, place, first.id) };
}

function textOf(doubles: GitHubHook[]): string {
  return doublesText(doubles.map(({ id, config }) => ({ id, url: config.url })));
}

/** The last deliveries, newest first. The newest failed one has what the receiver answered. */
async function lastDeliveries(api: GitHubApi, place: Place, id: number): Promise<WebhookDelivery[]> {
  const of = { ...place.parameters, hook_id: id };
  let listed: unknown;
  try {
    listed = await api.get(`GET ${place.path}/{hook_id}/deliveries`, { ...of, per_page: MAX_DELIVERIES });
  } catch (error) {
    // GitHub Enterprise Server before 3.2 has no such list.
    if (error instanceof Declined) return [];
    throw error;
  }
  const deliveries = readDeliveries(Array.isArray(listed) ? listed : [listed]);
  const failed = deliveries.find(({ failure }) => failure !== null);
  if (failed === undefined || failed.status === null) return deliveries;
  try {
    const whole = await api.get(`GET ${place.path}/{hook_id}/deliveries/{delivery_id}`, {
      ...of,
      delivery_id: failed.id,
    });
    const answer = answerOf(whole);
    if (answer !== "") failed.failure = answer;
  } catch (error) {
    // GitHub keeps what was answered for three days only.
    if (!(error instanceof Declined)) throw error;
  }
  return deliveries;
}

/** The token may not list the webhooks of an organisation; a user has none. */
async function unseenOf(api: GitHubApi, { owner, name }: HostRepo): Promise<string | null> {
  const shape = z.object({ owner: z.object({ type: z.string() }) });
  const answer = await api.get("GET /repos/{owner}/{repo}", { owner, repo: name });
  if (shape.safeParse(answer).data?.owner.type !== "Organization") return null;
  return (
    `the token may not see the webhooks of the organisation ${owner} ` +
    "(scope 'admin:org_hook', or the right 'Webhooks: read' of the organisation)"
  );
}

async function add(
  api: GitHubApi,
  { key, webhookSecret }: WebhookOptions,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<WebhookChange> {
  const place = placeOfRepo(repo);
  const wanted = {
    config: { url: address.url, content_type: "json", insecure_ssl: "0", secret: webhookSecret },
    events: [...WEBHOOK_EVENTS],
    active: true,
  };
  let own = ownHooks(await requireHooks(api, key, repo), address);
  if (own.length === 0) {
    if (await isCovered(api, repo, address)) return { kind: "covered", url: address.url };
    try {
      await api.send(`POST ${place.path}`, { ...place.parameters, name: "web", ...wanted });
      return { kind: "added", url: address.url };
    } catch (error) {
      if (!(error instanceof Declined)) throw error;
      // Somebody else was quicker, or the answer to our first attempt was lost.
      if (error.status === 422) own = ownHooks(await requireHooks(api, key, repo), address);
      if (own.length === 0) throw refusal(error, key, repo, address);
    }
  }
  try {
    return await repair(api, repo, own, address, wanted);
  } catch (error) {
    throw error instanceof Declined ? refusal(error, key, repo, address) : error;
  }
}

/** GitHub allows no two webhooks of one address that share events, so the doubles go first. */
async function repair(
  api: GitHubApi,
  repo: HostRepo,
  [first, ...doubles]: GitHubHook[],
  { url }: WebhookAddress,
  wanted: { events: string[] },
): Promise<WebhookChange> {
  if (first === undefined) return { kind: "renewed", url };
  const place = placeOfRepo(repo);
  const changes = [...faultsOf(first, url, WEBHOOK_EVENTS), ...excessOf(first, WEBHOOK_EVENTS)];
  if (doubles.length > 0) changes.push(textOf(doubles));
  for (const double of doubles) await removeHook(api, place, double.id);
  const of = { ...place.parameters, hook_id: first.id };
  await api.send(`PATCH ${place.path}/{hook_id}`, { ...of, ...wanted });
  // A new webhook is pinged by GitHub itself.
  await api.send(`POST ${place.path}/{hook_id}/pings`, of);
  return changes.length === 0 ? { kind: "renewed", url } : { kind: "repaired", url, changes };
}

async function isCovered(api: GitHubApi, repo: HostRepo, address: WebhookAddress): Promise<boolean> {
  const shared = await listHooks(api, placeOfOrganisation(repo));
  if (shared instanceof Declined) return false;
  return ownHooks(shared, address).some((hook) => faultsOf(hook, address.url, WEBHOOK_EVENTS).length === 0);
}

async function remove(api: GitHubApi, key: string, repo: HostRepo, address: WebhookAddress): Promise<string[]> {
  const own = ownHooks(await requireHooks(api, key, repo), address);
  for (const { id } of own) {
    try {
      await removeHook(api, placeOfRepo(repo), id);
    } catch (error) {
      throw error instanceof Declined ? refusal(error, key, repo, address) : error;
    }
  }
  return own.map(({ config }) => shownAddress(config.url));
}

async function removeHook(api: GitHubApi, { path, parameters }: Place, id: number): Promise<void> {
  try {
    await api.send(`DELETE ${path}/{hook_id}`, { ...parameters, hook_id: id });
  } catch (error) {
    // It is gone: another call, or our first attempt, has removed it. Without the right, the list was refused already.
    if (!(error instanceof Declined && error.status === 404)) throw error;
  }
}

/** Declined: the token may not see them. @throws TransientError */
async function listHooks(api: GitHubApi, { path, parameters }: Place): Promise<GitHubHook[] | Declined> {
  try {
    return readHooks(await api.list(`GET ${path}`, parameters));
  } catch (error) {
    if (error instanceof Declined) return error;
    throw error;
  }
}

async function requireHooks(api: GitHubApi, key: string, repo: HostRepo): Promise<GitHubHook[]> {
  const hooks = await listHooks(api, placeOfRepo(repo));
  if (hooks instanceof Declined) throw forbidden(hooks, key, repo);
  return hooks;
}

function refusal(error: Declined, key: string, repo: HostRepo, { url }: WebhookAddress): Refused {
  if (error.status === 403 || error.status === 404) return forbidden(error, key, repo);
  return new Refused(
    "github-webhook-refused",
    `GitHub does not take ${url} as a webhook of ${repo.owner}/${repo.name} (${error.status}): ${error.message}`,
  );
}

function forbidden({ status, message }: Declined, key: string, { owner, name }: HostRepo): Refused {
  return new Refused(
    "github-webhooks-forbidden",
    `GitHub does not let the token of hosts.${key} manage the webhooks of ${owner}/${name} (${status}, ${message}): ${RIGHTS}.`,
  );
}

function requireToken({ key, token }: WebhookOptions): void {
  if (token === null) throw new Refused("github-webhooks-forbidden", withoutToken(key));
}

function withoutToken(key: string): string {
  return `hosts.${key}.token is not set, and GitHub shows webhooks only with a token: ${RIGHTS}.`;
}

function signedPing(secret: string): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ zen: "deliverd asks whether it reaches itself." }));
  return {
    headers: {
      "content-type": "application/json",
      "x-github-event": "ping",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    body,
  };
}
