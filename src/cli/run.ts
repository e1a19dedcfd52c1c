import { setFlagsFromString } from "node:v8";
import type { Workers } from "../../workers/main.ts";
import { loadServerConfig } from "../config/server.ts";
import type { Listening } from "../receiver/app.ts";
import type { Role } from "./data-dir.ts";
import { dataDirError } from "./data-dir-errors.ts";
import { openParts, type Parts } from "./parts.ts";
import { serve, serveHealth } from "./serve.ts";
import { warnOfMissingSettings } from "./start-warnings.ts";

/** The part of `grace` that is left for HTTP responses and the ledger after workers have stopped. */
const CLOSE_MS = 1_500;

/**
 * Runs `start`, `receiver` or `worker` until SIGTERM or SIGINT. Then it takes no more work, lets running work end
 * within `grace`, and releases the rest for other workers.
 * @throws ConfigError or TransientError if it cannot start
 */
export async function runDaemon(roles: Role[], configPath: string | undefined): Promise<void> {
  // By default V8 lets the heap grow fourfold before it collects: a receiver under hostile payloads then takes 233 MB.
  // With doubling it takes 192 MB; with growth by half 180 MB, but 7 % fewer webhooks.
  setFlagsFromString("--heap-growing-percent=100");
  const config = loadServerConfig({ path: configPath, env: process.env });
  const parts = await openParts(config, roles).catch((error: unknown) => {
    throw dataDirError(config.dataDir, error);
  });
  const { log } = parts;
  const asked = stopAsked();
  warnOfMissingSettings(config, log);
  try {
    // Serve first: webhooks are stored while the code of the worker still loads.
    const listening = roles.includes("receiver") ? await serve(parts) : await serveHealth(parts);
    const workers = roles.includes("worker") ? await startWork(parts, listening) : null;
    log.info("ready", { roles });
    const signal = await asked;
    log.info("stopping", { signal, grace: config.grace });
    await Promise.all([workers?.stop(Math.max(0, config.grace - CLOSE_MS)), listening.close(CLOSE_MS)]);
  } finally {
    await parts.close();
  }
  log.info("stopped");
}

/** If the work cannot start, HTTP must end too: a process that only takes webhooks looks healthy and delivers nothing. */
async function startWork(parts: Parts, listening: Listening): Promise<Workers> {
  try {
    const { work } = await import("./work.ts");
    return await work(parts);
  } catch (error) {
    await listening.close(0);
    throw dataDirError(parts.config.dataDir, error);
  }
}

function stopAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
