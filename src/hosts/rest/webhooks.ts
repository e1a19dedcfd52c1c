import type { Refused } from "../../delivery/errors.ts";
import { fitOf, shownAddress } from "../../delivery/webhook-address.ts";
import type { HostRepo, HostWebhooks, WebhookAddress, WebhookChange, WebhookDelivery, WebhookState } from "../host.ts";
import { doublesText, type ListedHook, ownHooks } from "../own-hooks.ts";
import { Declined } from "./failure.ts";

/** Where webhooks are registered: a repo, or an owner (organisation, group, project) for all of its repos. */
export interface WebhookPlace {
  on: "repo" | "owner";
}

/** A webhook as the host lists it, read by the host's adapter. */
export interface HostHook extends ListedHook {
  /** What keeps it from bringing deliverd what it reads, in words for people. The address is compared here. */
  faults: string[];
  /** What it sends for nothing, in words for people. `add` removes it; `check` does not complain. */
  excess?: string[];
}

/**
 * What a host's API for webhooks can do. Each call throws Declined where the host understood it and refused it, and
 * TransientError.
 */
export interface WebhookCalls<Place extends WebhookPlace> {
  /** As people write it: `GitLab`. */
  product: string;
  /** Whose rights count: `the token of hosts.gitlab`. Null: deliverd has no login, so it sees no webhooks. */
  account: string | null;
  /** What to say where `account` is null, without a full stop: `hosts.gitlab.token is not set, and …`. */
  withoutAccount: string;
  /** The rights that are needed, without a full stop. */
  rights: string;
  /** An error with the code of the type: the rights are missing. */
  forbidden(message: string): Refused;
  /** An error with the code of the type: the host does not take the webhook. */
  refused(message: string): Refused;

  placeOfRepo(repo: HostRepo): Place;
  /** The owners whose webhooks are for this repo too, the nearest first. Left out: there are none. */
  placesOfOwners?(repo: HostRepo): Place[];
  /** Says that an owner may have webhooks that the account may not see. Null, or left out: it has none. */
  unseenOf?(repo: HostRepo): Promise<string | null>;

  list(place: Place): Promise<HostHook[]>;
  /** Registers it with the secret and all events. If the host does not test a new webhook itself, asks for the test. */
  create(place: Place, url: string): Promise<void>;
  /** Sets everything anew, with the secret, and asks the host for a test. */
  update(place: Place, id: string, url: string): Promise<void>;
  delete(place: Place, id: string): Promise<void>;
  /** The last deliveries, the newest first. Empty: none, or this version does not list them. Left out: no version does. */
  deliveries?(place: Place, id: string): Promise<WebhookDelivery[]>;
  ping: HostWebhooks["ping"];
}

/** How many deliveries are asked for. */
export const MAX_DELIVERIES = 10;

/** The abilities of `Host.webhooks`, by the calls of one host. */
export function restWebhooks<Place extends WebhookPlace>(calls: WebhookCalls<Place>): HostWebhooks {
  return {
    check: async (repo, address) => {
      if (calls.account === null) return { kind: "hidden", because: `${calls.withoutAccount}: ${calls.rights}.` };
      return check(calls, repo, address);
    },
    add: async (repo, address) => {
      requireAccount(calls);
      return explained(calls, repo, address, () => add(calls, repo, address));
    },
    remove: async (repo, address) => {
      requireAccount(calls);
      return explained(calls, repo, address, () => remove(calls, repo, address));
    },
    listsDeliveries: calls.deliveries !== undefined,
    ping: () => calls.ping(),
  };
}

async function check<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<WebhookState> {
  const place = calls.placeOfRepo(repo);
  const ofRepo = await listUnlessDeclined(calls, place);
  if (ofRepo instanceof Declined) return { kind: "hidden", because: `${ofRepo.message}: ${calls.rights}.` };
  const own = ownHooks(ofRepo, address);
  if (own.length > 0) return stateOf(calls, place, own, address);
  let isHidden = false;
  for (const shared of calls.placesOfOwners?.(repo) ?? []) {
    const ofOwner = await listUnlessDeclined(calls, shared);
    if (ofOwner instanceof Declined) {
      isHidden = true;
      continue;
    }
    const found = ownHooks(ofOwner, address);
    if (found.length > 0) return stateOf(calls, shared, found, address);
  }
  return { kind: "missing", unseen: isHidden ? ((await calls.unseenOf?.(repo)) ?? null) : null };
}

async function stateOf<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  place: Place,
  [first, ...doubles]: HostHook[],
  { url }: WebhookAddress,
): Promise<WebhookState> {
  if (first === undefined) return { kind: "missing", unseen: null };
  const faults = faultsOf(first, url);
  if (doubles.length > 0) faults.push(doublesText(doubles));
  const webhook = { id: first.id, url: shownAddress(first.url), on: place.on, faults };
  return { kind: "registered", webhook, deliveries: (await calls.deliveries?.(place, first.id)) ?? [] };
}

function faultsOf(hook: HostHook, url: string): string[] {
  const isElsewhere = fitOf(hook.url, url, []) !== "same";
  return [...(isElsewhere ? [`it sends to ${shownAddress(hook.url)}, not to ${url}`] : []), ...hook.faults];
}

async function add<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<WebhookChange> {
  const place = calls.placeOfRepo(repo);
  const { url } = address;
  const own = await ownOf(calls, repo, address);
  if (own.length > 0) return repair(calls, place, own, address);
  if (await isCovered(calls, repo, address)) return { kind: "covered", url };
  try {
    await calls.create(place, url);
    return { kind: "added", url };
  } catch (error) {
    if (!(error instanceof Declined) || isForbidden(error)) throw error;
    // Somebody else was quicker, or the answer to our first attempt was lost: a host may take no second one.
    const existing = await ownOf(calls, repo, address);
    if (existing.length === 0) throw error;
    return repair(calls, place, existing, address);
  }
}

/** A host may allow no two webhooks of one address that share events, so the doubles go first. */
async function repair<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  place: Place,
  [first, ...doubles]: HostHook[],
  { url }: WebhookAddress,
): Promise<WebhookChange> {
  if (first === undefined) return { kind: "renewed", url };
  const changes = [...faultsOf(first, url), ...(first.excess ?? [])];
  if (doubles.length > 0) changes.push(doublesText(doubles));
  for (const double of doubles) await removeHook(calls, place, double.id);
  await calls.update(place, first.id, url);
  return changes.length === 0 ? { kind: "renewed", url } : { kind: "repaired", url, changes };
}

/** A webhook of an owner that has no fault does it. */
async function isCovered<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<boolean> {
  for (const shared of calls.placesOfOwners?.(repo) ?? []) {
    const listed = await listUnlessDeclined(calls, shared);
    if (listed instanceof Declined) continue;
    if (ownHooks(listed, address).some((hook) => faultsOf(hook, address.url).length === 0)) return true;
  }
  return false;
}

async function remove<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<string[]> {
  const own = await ownOf(calls, repo, address);
  for (const { id } of own) await removeHook(calls, calls.placeOfRepo(repo), id);
  return own.map(({ url }) => shownAddress(url));
}

async function removeHook<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  place: Place,
  id: string,
): Promise<void> {
  try {
    await calls.delete(place, id);
  } catch (error) {
    // It is gone: another call, or our first attempt, has removed it. Without the right, the list was refused already.
    if (!(error instanceof Declined && error.status === 404)) throw error;
  }
}

async function listUnlessDeclined<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  place: Place,
): Promise<HostHook[] | Declined> {
  try {
    return await calls.list(place);
  } catch (error) {
    if (error instanceof Declined) return error;
    throw error;
  }
}

/** The webhooks of deliverd at the repo. @throws Refused if the account may not see them; TransientError */
async function ownOf<Place extends WebhookPlace>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  address: WebhookAddress,
): Promise<HostHook[]> {
  const listed = await listUnlessDeclined(calls, calls.placeOfRepo(repo));
  if (listed instanceof Declined) throw forbidden(calls, repo, listed);
  return ownHooks(listed, address);
}

/** @throws Refused, with what the host says and what to do */
async function explained<Place extends WebhookPlace, Result>(
  calls: WebhookCalls<Place>,
  repo: HostRepo,
  { url }: WebhookAddress,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    if (isForbidden(error)) throw forbidden(calls, repo, error);
    throw calls.refused(
      `${calls.product} does not take ${url} as a webhook of ${repo.owner}/${repo.name} (${error.status}): ${error.message}`,
    );
  }
}

function isForbidden({ status }: Declined): boolean {
  return status === 403 || status === 404;
}

function forbidden<Place extends WebhookPlace>(
  { product, account, rights, forbidden }: WebhookCalls<Place>,
  { owner, name }: HostRepo,
  { status, message }: Declined,
): Refused {
  return forbidden(
    `${product} does not let ${account} manage the webhooks of ${owner}/${name} (${status}, ${message}): ${rights}.`,
  );
}

function requireAccount<Place extends WebhookPlace>({
  account,
  withoutAccount,
  rights,
  forbidden,
}: WebhookCalls<Place>): void {
  if (account === null) throw forbidden(`${withoutAccount}: ${rights}.`);
}
