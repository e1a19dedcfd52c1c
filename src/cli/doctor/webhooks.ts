import { mapLimit } from "../../async/map-limit.ts";
import type { ServerConfig } from "../../config/server.ts";
import type { Host, HostRepo, HostWebhooks } from "../../hosts/host.ts";
import { addressOf, isOutOfReach, webhookFaults } from "../webhook-health.ts";
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

/**
 * What is wrong with the webhook of a repo. `unseen`: the token may not see enough to tell. `none`: it has no webhook,
 * but only a pattern lets it in: perhaps nobody wants to deliver it.
 */
interface RepoFault {
  kind: "wrong" | "unseen" | "none";
  text: string;
}

/** A fault with all repos that have it. */
interface SharedFault extends RepoFault {
  repos: string[];
}

/** Checks the webhook of every repo that the host shows. The same fault of many repos is one result. */
export async function checkWebhooks(subject: WebhookSubject, shown: ShownRepos): Promise<Result[]> {
  const { config, key, host, probe } = subject;
  const { repos, leftOut, named } = shown;
  const { webhooks } = host;
  const { url } = addressOf(config, key);
  if (webhooks === undefined) return [ok(`this type of host has no API for webhooks: they have to send to ${url}`)];
  if (isOutOfReach(config, key)) return [];
  // If nobody answers at publicUrl, failed deliveries are no second fault.
  const { leadsHere } = await probe();
  const asked = repos.slice(0, REPOS_ASKED);
  const faults = new Map<string, SharedFault>();
  let well = 0;
  await mapLimit(asked, REPOS_AT_A_TIME, async (repo) => {
    const fault = await faultOf(webhooks, repo, subject, leadsHere);
    if (fault === null) well += 1;
    else {
      const { text } = fault;
      const kind = fault.kind === "none" && named.has(repo.hostId) ? "wrong" : fault.kind;
      const known = faults.get(`${kind} ${text}`) ?? { kind, text, repos: [] };
      known.repos.push(`${repo.owner}/${repo.name}`);
      faults.set(`${kind} ${text}`, known);
    }
  });
  const rest = repos.length - asked.length;
  return [
    ...summary(well, asked.length, rest, leftOut.length),
    ...[...faults.values()].map((fault) => resultOf(key, fault)),
  ];
}

async function faultOf(
  webhooks: HostWebhooks,
  repo: HostRepo,
  { config, key }: WebhookSubject,
  leadsHere: boolean,
): Promise<RepoFault | null> {
  const state = await webhooks.check(repo, addressOf(config, key));
  switch (state.kind) {
    case "hidden":
      return { kind: "unseen", text: webhookFaults(state).join("; ") };
    case "missing":
      return { kind: state.unseen === null ? "none" : "unseen", text: webhookFaults(state).join("; ") };
    case "registered": {
      const faults = webhookFaults(leadsHere ? state : { ...state, deliveries: [] });
      return faults.length === 0 ? null : { kind: "wrong", text: faults.join("; ") };
    }
  }
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

function resultOf(key: string, { kind, text, repos }: SharedFault): Result {
  const shown = repos.toSorted().slice(0, NAMES_SHOWN).join(", ");
  const more = repos.length > NAMES_SHOWN ? ` and ${repos.length - NAMES_SHOWN} more` : "";
  const line = `${shown}${more}: ${text}`;
  const each = repos.length === 1 ? "" : " for each of them";
  const add = `\`deliverd hooks add ${key}/${repos[0]}\`${each}`;
  switch (kind) {
    case "wrong":
      return fail(line, `Run ${add}.`);
    case "none":
      return warn(`${line}, so new commits are seen only minutes later`, `If they are to be delivered, run ${add}.`);
    case "unseen":
      return warn(line, "Without that right, look at the webhooks at the host.");
  }
}
