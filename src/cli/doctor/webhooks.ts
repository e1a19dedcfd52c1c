import { mapLimit } from "../../async/map-limit.ts";
import type { ServerConfig } from "../../config/server.ts";
import type { Host, HostRepo, HostWebhooks } from "../../hosts/host.ts";
import { addressOf, deliveryFault, isOutOfReach, webhookFaults } from "../webhook-health.ts";
import { fail, ok, type Result, warn } from "./check.ts";
import type { PublicUrlProbe } from "./public-url.ts";
import type { ShownRepos } from "./shown-repos.ts";

/** Each takes two or three calls at the host. */
const REPOS_ASKED = 50;
const REPOS_AT_A_TIME = 4;
/** The other names of one fault are only counted. */
const NAMES_SHOWN = 5;

export interface WebhookSubject {
  config: ServerConfig;
  key: string;
  host: Host;
  probe: PublicUrlProbe;
}

/** What is wrong with the webhook of a repo. `unseen`: the token may not see enough to tell. */
interface RepoFault {
  kind: "wrong" | "unseen";
  text: string;
}

/** Checks the webhook of every repo that the host shows. The same fault of many repos is one result. */
export async function checkWebhooks(subject: WebhookSubject, { repos, leftOut }: ShownRepos): Promise<Result[]> {
  const { config, key, host, probe } = subject;
  const { webhooks } = host;
  const { url } = addressOf(config, key);
  if (webhooks === undefined) return [ok(`this type of host has no API for webhooks: they have to send to ${url}`)];
  if (isOutOfReach(config, key)) return [];
  // If nobody answers at publicUrl, failed deliveries are no second fault.
  const { leadsHere } = await probe();
  const asked = repos.slice(0, REPOS_ASKED);
  const faults = new Map<string, { kind: RepoFault["kind"]; repos: string[] }>();
  let well = 0;
  await mapLimit(asked, REPOS_AT_A_TIME, async (repo) => {
    const found = await faultsOf(webhooks, repo, subject, leadsHere);
    if (found.length === 0) well += 1;
    for (const { kind, text } of found) {
      const known = faults.get(text) ?? { kind, repos: [] };
      known.repos.push(`${repo.owner}/${repo.name}`);
      faults.set(text, known);
    }
  });
  const rest = repos.length - asked.length;
  return [
    ...summary(well, asked.length, rest, leftOut.length),
    ...[...faults].map(([text, fault]) => resultOf(key, text, fault)),
  ];
}

async function faultsOf(
  webhooks: HostWebhooks,
  repo: HostRepo,
  { config, key }: WebhookSubject,
  leadsHere: boolean,
): Promise<RepoFault[]> {
  const state = await webhooks.check(repo, addressOf(config, key));
  if (state.kind === "hidden" || (state.kind === "missing" && state.unseen !== null)) {
    return webhookFaults(state).map((text) => ({ kind: "unseen", text }));
  }
  const [newest] = state.kind === "registered" ? state.deliveries : [];
  const ofDelivery = newest === undefined ? null : deliveryFault(newest);
  return webhookFaults(state)
    .filter((text) => leadsHere || text !== ofDelivery)
    .map((text) => ({ kind: "wrong", text }));
}

function summary(well: number, asked: number, rest: number, entries: number): Result[] {
  const left = [
    ...(rest > 0 ? [`${rest} more repos were not checked`] : []),
    ...(entries > 0 ? [`nor were those of ${entries} more entries of repos`] : []),
  ];
  if (asked === 0) return [ok("no repo to check")];
  if (well === 0 && left.length === 0) return [];
  const repos = `${well} of ${asked} repos ${well === 1 ? "has its webhook" : "have their webhook"}`;
  return [ok([repos, ...left].join("; "))];
}

function resultOf(key: string, text: string, { kind, repos }: { kind: RepoFault["kind"]; repos: string[] }): Result {
  const shown = repos.toSorted().slice(0, NAMES_SHOWN).join(", ");
  const more = repos.length > NAMES_SHOWN ? ` and ${repos.length - NAMES_SHOWN} more` : "";
  const line = `${shown}${more}: ${text}`;
  const each = repos.length === 1 ? "" : " for each of them";
  return kind === "unseen"
    ? warn(line, `Give the token of hosts.${key} the right, or look at the webhook's page at the host.`)
    : fail(line, `Run \`deliverd hooks add ${key}/${repos[0]}\`${each}.`);
}
