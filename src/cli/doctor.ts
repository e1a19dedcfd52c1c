import { access, constants, mkdir } from "node:fs/promises";
import { chooseInstallation, connectEngine, engineFacts } from "../builders/engine.ts";
import { loadServerConfig, type ServerConfig, secretsOf } from "../config/server.ts";
import { openLedger } from "../ledger/ledger.ts";
import { silentLog } from "../log.ts";
import { createMask } from "../mask.ts";
import { hastyConnection, refuseEviction } from "../queue/connection.ts";
import { openRegistries } from "../registries/index.ts";
import { Store } from "../store/store.ts";
import { EXIT, Failure } from "./exit.ts";
import { safe } from "./print.ts";

interface Finding {
  part: string;
  ok: boolean;
  text: string;
}

/** Checks the configuration and whatever it names, and says of each what stands. Changes nothing. */
export async function doctor(configPath: string | undefined, asJson: boolean): Promise<void> {
  const config = loadServerConfig({ path: configPath, env: process.env });
  const mask = createMask(secretsOf(config));
  const checks: [string, () => Promise<string>][] = [
    ["data directory", () => checkDataDir(config)],
    ["ledger", () => checkLedger(config)],
    ["redis", () => checkRedis(config)],
    ["engine", () => checkEngine(config)],
    ...(await registryChecks(config)),
  ];
  const findings: Finding[] = [];
  for (const [part, check] of checks) {
    const finding = await check().then(
      (text) => ({ part, ok: true, text }),
      (error: unknown) => ({ part, ok: false, text: mask(error instanceof Error ? error.message : String(error)) }),
    );
    findings.push(finding);
    if (!asJson) process.stdout.write(`${finding.ok ? "ok  " : "FAIL"}  ${part}: ${safe(finding.text)}\n`);
  }
  if (asJson) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  const failed = findings.filter((finding) => !finding.ok);
  if (failed.length > 0) throw new Failure(EXIT.failed, `${failed.length} of ${findings.length} checks failed`);
}

async function checkDataDir({ dataDir }: ServerConfig): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  return `${dataDir} can be written`;
}

async function checkLedger({ dataDir, databaseUrl }: ServerConfig): Promise<string> {
  const ledger = await openLedger({ dataDir, databaseUrl: databaseUrl ?? undefined });
  await ledger.close();
  return databaseUrl === null ? "SQLite in the data directory" : "PostgreSQL answers";
}

async function checkRedis({ redisUrl }: ServerConfig): Promise<string> {
  if (redisUrl === null) return "a private redis-server is started with deliverd";
  const redis = hastyConnection({ url: redisUrl });
  try {
    await redis.ping();
    await refuseEviction(redis, silentLog);
    return "answers, and throws nothing away";
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

async function registryChecks(config: ServerConfig): Promise<[string, () => Promise<string>][]> {
  const registries = await openRegistries(config.registries, { store: new Store(config.dataDir) });
  return [...registries].map(([key, registry]) => [
    `registry ${key}`,
    async () => {
      await registry.check();
      return "login and the right to push";
    },
  ]);
}
