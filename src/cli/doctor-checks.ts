import { execFile } from "node:child_process";
import { access, constants, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { isDiskNearlyFull } from "../../workers/sweep/housekeeping.ts";
import { chooseInstallation, connectEngine, engineFacts } from "../builders/engine.ts";
import type { ServerConfig } from "../config/server.ts";
import { ConfigError } from "../delivery/errors.ts";
import { pathOfPattern, questionOfPattern } from "../delivery/repo-name.ts";
import type { Host } from "../hosts/host.ts";
import { openHosts } from "../hosts/index.ts";
import { openLedger } from "../ledger/ledger.ts";
import { silentLog } from "../observe/log.ts";
import type { LearningMask } from "../observe/mask.ts";
import { failFastConnection, requireNoEviction } from "../queue/connection.ts";
import { openRegistries } from "../registries/index.ts";
import { makeFolder } from "../run/make-folder.ts";
import { startIntake } from "../store/intake.ts";
import { Store } from "../store/store.ts";
import { dataDirError } from "./data-dir-errors.ts";

export interface Check {
  part: string;
  /** @returns what stands @throws what does not */
  run(): Promise<string>;
  /** What to do where it fails, and the failure does not say so itself. */
  remedy: string;
}

/** One for each thing that the configuration names. */
export async function checksOf(config: ServerConfig, { learn }: Pick<LearningMask, "learn">): Promise<Check[]> {
  const { dataDir } = config;
  const registries = await openRegistries(config.registries, { store: storeOf(config), learn });
  return [
    {
      part: "data directory",
      run: () => checkDataDir(config),
      remedy: "Make it a folder that deliverd's user may write to, or set dataDir to one.",
    },
    {
      part: "disk",
      run: () => checkDisk(config),
      remedy: `Make room on the disk of ${dataDir}, or lower disk.max: no new work begins while it is like this.`,
    },
    {
      part: "ledger",
      run: () => checkLedger(config),
      remedy:
        config.databaseUrl === null
          ? `Make ${dataDir} and all in it writable for deliverd's user.`
          : "Check databaseUrl, that PostgreSQL runs there, and that its user may create tables.",
    },
    {
      part: "redis",
      run: () => checkRedis(config),
      remedy:
        config.redisUrl === null
          ? "Install redis-server, or set redisUrl to a Redis that runs."
          : "Check redisUrl, its password, and that a Redis runs there.",
    },
    {
      part: "engine",
      run: () => checkEngine(config),
      remedy: "Start Docker, or set docker.socket or DOCKER_HOST to where it listens; deliverd's user must be let in.",
    },
    {
      part: "intake",
      run: () => checkIntake(config),
      remedy:
        "Set docker.intake.advertise to an address of deliverd as the engine sees it. One that is not in 127.0.0.0/8 must be among the engine's insecure-registries.",
    },
    ...[...openHosts(config.hosts)].map(([key, host]) => ({
      part: `host ${key}`,
      run: () => checkHost(config, key, host),
      remedy: `Check hosts.${key}.apiUrl, and that this machine may reach it.`,
    })),
    ...[...registries].map(([key, registry]) => ({
      part: `registry ${key}`,
      run: () => registry.check().then(() => "login and the right to push"),
      remedy: `Check that it runs and can be reached from here, and what registries.${key} says of it.`,
    })),
  ];
}

function storeOf({ dataDir }: ServerConfig): Store {
  return new Store(join(dataDir, "store"));
}

async function checkDataDir({ dataDir }: ServerConfig): Promise<string> {
  await makeFolder(dataDir, 0o700).catch((error: unknown) => {
    throw dataDirError(dataDir, error);
  });
  await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  return `${dataDir} can be written`;
}

async function checkDisk({ dataDir }: ServerConfig): Promise<string> {
  const { bavail, bsize } = await statfs(dataDir);
  const free = `${((bavail * bsize) / 1e9).toFixed(1)} GB are free`;
  if (await isDiskNearlyFull(dataDir)) throw new Error(`only ${free}`);
  return free;
}

async function checkLedger({ dataDir, databaseUrl }: ServerConfig): Promise<string> {
  const ledger = await openLedger({ dataDir, databaseUrl: databaseUrl ?? undefined });
  await ledger.close();
  return databaseUrl === null ? "SQLite in the data directory" : "PostgreSQL answers";
}

async function checkRedis({ redisUrl }: ServerConfig): Promise<string> {
  if (redisUrl === null) {
    await promisify(execFile)("redis-server", ["--version"]);
    return "a private redis-server is started with deliverd";
  }
  const redis = failFastConnection({ url: redisUrl });
  let refused: Error | null = null;
  redis.on("error", (error: Error) => {
    refused = error;
  });
  try {
    await redis.ping();
    await requireNoEviction(redis, silentLog);
    return "answers, and throws nothing away";
  } catch (error) {
    // What ioredis throws tells how often it tried; why it could not is in its events.
    throw error instanceof ConfigError ? error : (refused ?? error);
  } finally {
    redis.disconnect();
  }
}

async function checkEngine({ docker }: ServerConfig): Promise<string> {
  const facts = await engineFacts(connectEngine({ socket: docker.socket ?? undefined, env: process.env }));
  const { memory, cpus } = docker.limits;
  const { installation, because } = chooseInstallation(facts, { memoryBytes: memory, cpus });
  const network = facts.bridge ? "" : "; it has no bridge network, so builds have none unless docker.network is set";
  return `Docker ${facts.version} on ${facts.platform}; builds by ${installation}: ${because}${network}`;
}

/** Has the engine log in to the intake: to one of our own, or to that of the deliverd that runs already. */
async function checkIntake(config: ServerConfig): Promise<string> {
  const docker = connectEngine({ socket: config.docker.socket ?? undefined, env: process.env });
  await docker.ping().catch((error: Error) => {
    throw new Error(`the engine, which has to reach it, does not answer: ${error.message}`);
  });
  const { listen = "127.0.0.1:0", advertise } = config.docker.intake ?? {};
  const intake = await startIntake({ store: storeOf(config), listen, advertise }).catch(async (error: unknown) => {
    if (await isIntake(listen)) return null;
    throw error;
  });
  const grant = intake?.grant("doctor", { maxBytes: 0 });
  const serveraddress = grant?.host ?? advertise ?? listen;
  try {
    const { username = "doctor", password = "doctor" } = grant ?? {};
    await docker.checkAuth({ username, password, serveraddress });
  } catch (error) {
    // One that runs already knows no such user: it was reached all the same.
    if (grant !== undefined || !/unauthorized|incorrect username/i.test(String(error))) {
      throw new Error(`the engine cannot reach ${serveraddress}: ${(error as Error).message}`);
    }
  } finally {
    await grant?.revoke();
    await intake?.stop();
  }
  return `the engine reaches ${serveraddress}`;
}

async function isIntake(listen: string): Promise<boolean> {
  const answer = await fetch(`http://${listen}/v2/`).catch(() => null);
  await answer?.body?.cancel();
  return answer?.headers.get("www-authenticate")?.includes("deliverd intake") ?? false;
}

/** Each is a call at the host, of which there are only so many an hour. */
const ENTRIES_ASKED = 20;

/** Asks the host for what `repos` lets in: it answers only to a token that it takes, and shows what that token may see. */
async function checkHost({ repos, hosts }: ServerConfig, key: string, host: Host): Promise<string> {
  const asked = repos.flatMap((entry) => {
    const question = questionOfPattern(entry, key);
    if (question.kind === "unlisted" || question.kind === "elsewhere") return [];
    // With another host beside it, an entry that names none may mean that one.
    return [
      { question, expected: entry.host !== undefined || Object.keys(hosts).length === 1, shown: pathOfPattern(entry) },
    ];
  });
  const seen: string[] = [];
  const hidden: string[] = [];
  for (const { question, expected, shown } of asked.slice(0, ENTRIES_ASKED)) {
    const found =
      question.kind === "owner"
        ? await host.listRepos(question.owner)
        : [await host.findRepo(question.owner, question.name)].flatMap((one) => one ?? []);
    if (found.length > 0) seen.push(shown);
    else if (expected) hidden.push(shown);
  }
  // Whatever it answers: a token that it does not take is refused first.
  if (asked.length === 0) await host.findRepo("deliverd", "deliverd");
  if (hidden.length > 0) {
    throw new ConfigError(
      "host-shows-no-repo",
      `it shows no repo of ${hidden.join(", ")}. Let the token of hosts.${key} see it, or mend the entry under repos.`,
    );
  }
  const shown = seen.length === 0 ? "" : `; it shows ${seen.join(", ")}`;
  return hosts[key]?.token == null
    ? `answers without a token${shown}; commits get no statuses until hosts.${key}.token is set`
    : `takes the token${shown}`;
}
