import { mapLimit } from "../../async/map-limit.ts";
import { loadServerConfig, type ServerConfig, secretsOf } from "../../config/server.ts";
import { matchRepo } from "../../delivery/bounds.ts";
import { ConfigError } from "../../delivery/errors.ts";
import { fullRepoName, questionOfPattern, readRepoName, repoMatches } from "../../delivery/repo-name.ts";
import type { Host, HostRepo, HostWebhooks, WebhookAddress } from "../../hosts/host.ts";
import { openHosts } from "../../hosts/index.ts";
import { createMask, type LearningMask, type Mask } from "../../observe/mask.ts";
import { EXIT, Failure } from "../exit.ts";
import { hostTools } from "../host-tools.ts";
import { jsonText } from "../terminal.ts";
import { addressOf } from "../webhook-health.ts";

export interface HooksOrder {
  /** Path of the server's configuration. */
  config: string | undefined;
  /** `<owner>/<name>` or `<key>/<owner>/<name>`; with `*`, all repos that it and an entry of `repos` match. */
  repo: string;
  json: boolean;
  out(text: string): void;
}

/** A repo at its host, and what its webhook has to be. */
export interface Subject {
  config: ServerConfig;
  key: string;
  repo: HostRepo;
  /** `<key>/<owner>/<name>` */
  name: string;
  webhooks: HostWebhooks;
  address: WebhookAddress;
  /** `text` is safe for a terminal. */
  print(data: unknown, text: string): void;
}

interface FoundRepo {
  key: string;
  repo: HostRepo;
  webhooks: HostWebhooks | undefined;
}

/** Each waits for a ping of its host, for some seconds. */
const REPOS_AT_A_TIME = 4;

/**
 * Does the work for the repo, or for each repo of a pattern. Errors may hold what the host said, and the host knows the
 * secrets.
 */
export async function forSubjects(order: HooksOrder, work: (subject: Subject) => Promise<void>): Promise<void> {
  const config = loadServerConfig({ path: order.config, env: process.env });
  const mask = createMask(secretsOf(config));
  try {
    if (/[*?]/.test(order.repo)) await forPattern(config, order, mask, work);
    else await work(subjectOf(config, await findOne(config, order.repo, mask), printer(order, mask)));
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.exitCode, mask(error.message));
    if (error instanceof Error) error.message = mask(error.message);
    throw error;
  }
}

function printer({ json, out }: HooksOrder, mask: Mask): Subject["print"] {
  return (data, lines) => {
    const shown = json ? jsonText(data) : lines;
    if (shown !== "") out(`${mask(shown)}\n`);
  };
}

/** One that fails does not keep the others from their turn. With `--json`, the results are one list. */
async function forPattern(
  config: ServerConfig,
  order: HooksOrder,
  mask: LearningMask,
  work: (subject: Subject) => Promise<void>,
): Promise<void> {
  const found = await findAll(config, order.repo, mask);
  const list: unknown[] = [];
  const printOne = printer(order, mask);
  const print: Subject["print"] = order.json ? (data) => void list.push(data) : printOne;
  const failures: { name: string; error: Error }[] = [];
  await mapLimit(found, REPOS_AT_A_TIME, async (one) => {
    const subject = subjectOf(config, one, print);
    try {
      await work(subject);
    } catch (error) {
      // What the configuration lacks is missing for all of them.
      if (!(error instanceof Error) || error instanceof ConfigError) throw error;
      failures.push({ name: subject.name, error });
    }
  });
  if (order.json) printOne(list, "");
  if (failures.length === 0) return;
  const lines = failures.map(({ name, error }) => `${name}: ${error.message.replace(`${name} `, "")}`).sort();
  const isNothingThere = failures.every(({ error }) => error instanceof Failure && error.exitCode === EXIT.notFound);
  const exitCode = isNothingThere && failures.length === found.length ? EXIT.notFound : EXIT.failed;
  throw new Failure(exitCode, [...lines, `${failures.length} of ${found.length} repos failed`].join("\n"));
}

/** @throws Failure if no host, or several, show a repo of this name */
async function findOne(config: ServerConfig, text: string, { learn }: LearningMask): Promise<FoundRepo> {
  const hosts = await openHosts(config.hosts, hostTools(null, learn));
  const readings = readRepoName(text, hosts.keys());
  if (readings.length === 0) throw new Failure(EXIT.usage, `"${text}" does not have the form <owner>/<name>`);
  const found: FoundRepo[] = [];
  for (const { host: wanted, owner, name } of readings) {
    for (const [key, host] of hosts) {
      if (wanted !== null && wanted !== key) continue;
      const repo = await host.findRepo(owner, name);
      if (repo !== null) found.push({ key, repo, webhooks: host.webhooks });
    }
    // The likeliest reading counts.
    if (found.length > 0) break;
  }
  const [first, ...others] = found;
  if (first === undefined) {
    throw new Failure(
      EXIT.notFound,
      `No configured host shows a repo ${text}: check its name, and what the token may see.`,
    );
  }
  if (others.length === 0) return first;
  const names = found.map(({ key, repo }) => fullRepoName({ host: key, ...repo }));
  throw new Failure(EXIT.usage, `Several hosts have a repo ${text}: write ${names.join(" or ")}.`);
}

/** The repos that the pattern and an entry of `repos` match, as their hosts list them. @throws Failure for none */
async function findAll(config: ServerConfig, match: string, { learn }: LearningMask): Promise<FoundRepo[]> {
  const found: FoundRepo[] = [];
  let listed = 0;
  for (const [key, host] of await openHosts(config.hosts, hostTools(null, learn))) {
    for (const repo of await listByPattern(host, match, key)) {
      const path = { host: key, ...repo };
      if (!repoMatches({ match }, path)) continue;
      listed += 1;
      if (matchRepo(config.repos, path) !== null) found.push({ key, repo, webhooks: host.webhooks });
    }
  }
  if (found.length > 0) return found;
  throw new Failure(
    EXIT.notFound,
    listed === 0
      ? `No configured host shows a repo of ${match}: check the name, and what the token may see.`
      : `None of the ${listed} repos of ${match} is in an entry of repos, so deliverd would ignore their webhooks.`,
  );
}

async function listByPattern(host: Host, match: string, key: string): Promise<HostRepo[]> {
  const question = questionOfPattern({ match }, key);
  switch (question.kind) {
    case "owner":
      return host.listRepos(question.owner);
    case "repo":
      return [await host.findRepo(question.owner, question.name)].flatMap((repo) => repo ?? []);
    case "elsewhere":
      return [];
    case "unlisted":
      throw new Failure(
        EXIT.usage,
        `"${match}" names no owner, and hosts list repos by their owner only: write <owner>/*`,
      );
  }
}

/** @throws Failure if the type of its host has no API for webhooks */
function subjectOf(config: ServerConfig, { key, repo, webhooks }: FoundRepo, print: Subject["print"]): Subject {
  const address = addressOf(config, key);
  if (webhooks === undefined) {
    const type = config.hosts[key]?.type;
    const how = `Register ${address.url} there by hand, with hosts.${key}.webhookSecret.`;
    throw new Failure(EXIT.failed, `deliverd cannot register webhooks at hosts of the type ${type}. ${how}`);
  }
  return { config, key, repo, name: fullRepoName({ host: key, ...repo }), webhooks, address, print };
}
