import { setTimeout as delay } from "node:timers/promises";
import { matchRepo } from "../../delivery/bounds.ts";
import { ConfigError } from "../../delivery/errors.ts";
import type { HostWebhooks, WebhookChange, WebhookDelivery, WebhookState } from "../../hosts/host.ts";
import { EXIT, Failure } from "../exit.ts";
import { type Column, formatTable } from "../table.ts";
import { paint, screenOf, terminalSafe } from "../terminal.ts";
import { ago } from "../times.ts";
import { deliveryFault, isOutOfReach, webhookFaults } from "../webhook-health.ts";
import { forSubjects, type HooksOrder, type Subject } from "./subjects.ts";

/** Registers the webhook of a repo, or repairs it, and waits for the host's ping. */
export async function add(order: HooksOrder): Promise<void> {
  await forSubjects(order, async (subject) => {
    requireUse(subject);
    const { webhooks, address, name, print } = subject;
    const before = await deliveriesOf(subject);
    const change = await webhooks.add(subject.repo, address);
    const isShown = change.kind !== "covered" && change.pings !== false && webhooks.listsDeliveries !== false;
    const ping = isShown ? await newDelivery(subject, before) : null;
    const fault = ping === null ? null : deliveryFault(ping);
    print(
      { repo: name, ...change, ping: ping === null ? null : dated(ping) },
      terminalSafe(changeText(subject, change, ping)),
    );
    if (fault !== null) throw new Failure(EXIT.failed, fault);
  });
}

/** Shows the state of a repo's webhook and its last deliveries. */
export async function check(order: HooksOrder): Promise<void> {
  await forSubjects(order, async (subject) => {
    const { name, address, webhooks, print } = subject;
    const screen = screenOf();
    const state = await webhooks.check(subject.repo, address);
    const faults = webhookFaults(state);
    if (!isUsed(subject)) faults.push(`${name} is in no entry of repos, so deliverd ignores its webhooks`);
    const registered = state.kind === "registered" ? state : null;
    const deliveries = registered?.deliveries ?? [];
    const shared = registered?.webhook.on === "owner" ? ` (of ${subject.repo.owner}, for all its repos)` : "";
    print(
      {
        repo: name,
        url: address.url,
        ok: faults.length === 0,
        state: state.kind,
        faults,
        webhook: registered && { id: registered.webhook.id, url: registered.webhook.url, on: registered.webhook.on },
        deliveries: deliveries.map(dated),
      },
      [
        terminalSafe(`${name}: ${registered === null ? "no webhook" : registered.webhook.url}${shared}`),
        ...(deliveries.length === 0 ? [] : [formatTable(screen, COLUMNS, deliveries).replace(/ +$/gm, "")]),
        ...(registered !== null && deliveries.length === 0 ? [withoutDeliveries(webhooks)] : []),
        ...faults.map((fault) => `${paint(screen, "red", "fail")}  ${terminalSafe(fault)}`),
      ].join("\n"),
    );
    if (faults.length > 0) throw new Failure(EXIT.failed, checkRemedy(state, name));
  });
}

function checkRemedy({ kind }: WebhookState, name: string): string {
  switch (kind) {
    case "registered":
      return `Repair it with \`deliverd hooks add ${name}\`, which also has the host send a ping.`;
    case "missing":
      return `Register it with \`deliverd hooks add ${name}\`.`;
    case "hidden":
      return "Give the token the right, or look at the webhooks at the host.";
  }
}

/** Removes deliverd's webhooks from a repo. */
export async function remove(order: HooksOrder): Promise<void> {
  await forSubjects(order, async ({ webhooks, address, name, print, ...subject }) => {
    const removed = await webhooks.remove(subject.repo, address);
    print({ repo: name, removed }, terminalSafe(removed.map((url) => `removed ${name}: ${url}`).join("\n")));
    if (removed.length > 0) return;
    const state = await webhooks.check(subject.repo, address);
    const isShared = state.kind === "registered" && state.webhook.on === "owner";
    const shared = isShared ? ` The one of ${subject.repo.owner} serves all its repos: remove it at the host.` : "";
    throw new Failure(EXIT.notFound, `${name} has no webhook of deliverd of its own (${address.url}).${shared}`);
  });
}

function isUsed({ config, key, repo }: Subject): boolean {
  return matchRepo(config.repos, { host: key, owner: repo.owner, name: repo.name }) !== null;
}

/** A webhook that brings nothing must not be registered. @throws Failure, ConfigError */
function requireUse(subject: Subject): void {
  const { config, key, name } = subject;
  if (!isUsed(subject)) {
    throw new Failure(
      EXIT.usage,
      `${name} is in no entry of repos, so deliverd would ignore its webhooks: add it first.`,
    );
  }
  if (isOutOfReach(config, key)) {
    throw new ConfigError(
      "public-url-local",
      `publicUrl: ${config.publicUrl} can be reached from this machine only, so hosts.${key} cannot send webhooks there. ` +
        "Set publicUrl (DELIVERD_PUBLIC_URL) to the address under which the host reaches deliverd.",
    );
  }
}

async function deliveriesOf({ webhooks, repo, address }: Subject): Promise<WebhookDelivery[]> {
  const state = await webhooks.check(repo, address);
  return state.kind === "registered" ? state.deliveries : [];
}

/** A host pings at once, and lists the ping after it was answered, at most 10 s later. */
const PING_WAITS_MS = [250, 500, 1_000, 2_000, 4_000, 4_000];

/** The first delivery that was not there before. Null: none came in time. */
async function newDelivery(subject: Subject, before: WebhookDelivery[]): Promise<WebhookDelivery | null> {
  for (const wait of PING_WAITS_MS) {
    await delay(wait);
    const added = (await deliveriesOf(subject)).filter(({ id }) => !before.some((known) => known.id === id));
    const newest = added.find(({ event }) => event === "ping") ?? added[0];
    if (newest !== undefined) return newest;
  }
  return null;
}

const UNPINGED = "the host sends no ping: see `deliverd hooks check` after the next push";

function changeText({ name, webhooks }: Subject, change: WebhookChange, ping: WebhookDelivery | null): string {
  if (change.kind === "covered") return `nothing to do for ${name}: the webhook of its owner sends to ${change.url}`;
  const repairs = change.kind === "repaired" ? change.changes.map((fault) => `  repaired: ${fault}`) : [];
  const secret = change.kind === "renewed" ? ["  nothing was wrong; the secret was set again"] : [];
  const pinged = change.pings === false ? UNPINGED : pingText(ping, webhooks);
  return [`${change.kind} ${name}: ${change.url}`, ...repairs, ...secret, pinged].join("\n");
}

function withoutDeliveries({ listsDeliveries = true }: HostWebhooks): string {
  return listsDeliveries
    ? "the host shows no deliveries yet"
    : "the host's API does not show deliveries: its settings page of the webhook does";
}

function pingText(ping: WebhookDelivery | null, webhooks: HostWebhooks): string {
  if (webhooks.listsDeliveries === false) return `the host was asked for a test; ${withoutDeliveries(webhooks)}`;
  if (ping === null) return "the host has not listed its ping yet: see `deliverd hooks check`";
  if (ping.status === null) return `the host's ${ping.event} was not answered`;
  return `the host's ${ping.event} was answered ${ping.status} after ${seconds(ping)}`;
}

const COLUMNS: Column<WebhookDelivery>[] = [
  {
    heading: "AT",
    text: ({ at }) => new Date(at).toISOString(),
    terminalText: ({ at }) => ago(new Date(at).toISOString()),
    style: () => "gray",
  },
  { heading: "EVENT", text: ({ event }) => event },
  {
    heading: "ANSWER",
    text: ({ status }) => (status === null ? "none" : String(status)),
    style: ({ failure }) => (failure === null ? "green" : "red"),
  },
  { heading: "TOOK", text: seconds },
  { heading: "REASON", text: ({ failure }) => failure ?? "" },
];

function seconds({ duration }: WebhookDelivery): string {
  return `${(duration / 1000).toFixed(1)} s`;
}

function dated(delivery: WebhookDelivery): object {
  return { ...delivery, at: new Date(delivery.at).toISOString() };
}
