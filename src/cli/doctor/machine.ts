import { execFile } from "node:child_process";
import { access, constants, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { isDiskNearlyFull } from "../../../workers/sweep/housekeeping.ts";
import type { ServerConfig } from "../../config/server.ts";
import { ConfigError } from "../../delivery/errors.ts";
import { openLedger } from "../../ledger/ledger.ts";
import { silentLog } from "../../observe/log.ts";
import { failFastConnection, requireNoEviction } from "../../queue/connection.ts";
import { makeFolder } from "../../run/make-folder.ts";
import { dataDirError } from "../data-dir-errors.ts";
import type { Check } from "./check.ts";

export const DATA_DIRECTORY = "data directory";

/** What deliverd keeps its state in. */
export function machineChecks(config: ServerConfig): Check[] {
  const group = "This machine";
  const { dataDir, databaseUrl, redisUrl } = config;
  return [
    {
      group,
      part: DATA_DIRECTORY,
      run: () => checkDataDir(config),
      remedy: "Make it a folder that deliverd's user may write to, or set dataDir to one.",
    },
    {
      group,
      part: "disk",
      needs: [DATA_DIRECTORY],
      run: () => checkDisk(config),
      remedy: `Make room on the disk of ${dataDir}, or lower disk.max: no new work begins while it is like this.`,
    },
    {
      group,
      part: "ledger",
      needs: databaseUrl === null ? [DATA_DIRECTORY] : [],
      run: () => checkLedger(config),
      remedy:
        databaseUrl === null
          ? `Make ${dataDir} and all in it writable for deliverd's user.`
          : "Check databaseUrl, that PostgreSQL runs there, and that its user may create tables.",
    },
    {
      group,
      part: "redis",
      run: () => checkRedis(config),
      remedy:
        redisUrl === null
          ? "Install redis-server, or set redisUrl to a Redis that runs."
          : "Check redisUrl, its password, and that a Redis runs there.",
    },
  ];
}

async function checkDataDir({ dataDir }: ServerConfig): Promise<string> {
  try {
    await makeFolder(dataDir, 0o700);
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw dataDirError(dataDir, error);
  }
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
