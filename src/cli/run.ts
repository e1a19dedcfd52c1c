import { setFlagsFromString } from "node:v8";
import { loadServerConfig } from "../config/server.ts";
import type { Role } from "./data-dir.ts";
import { openParts } from "./parts.ts";
import { serve, serveHealth } from "./serve.ts";

/** Time that HTTP answers and the ledger get after the work has been handed back. */
const CLOSING = 1_500;

/**
 * `start`, `receiver` and `worker`: runs until SIGTERM or SIGINT, then takes no more work, lets what runs end within
 * `grace`, hands the rest back, and resolves. @throws ConfigError, TransientError where it cannot start.
 */
export async function runDaemon(roles: Role[], configPath: string | undefined): Promise<void> {
  // V8 lets the heap of a busy receiver grow fourfold before it collects: 233 MB under hostile payloads, 192 MB where it may
  // double. Growing by half would hold it to 180 MB, and cost one webhook of fifteen.
  setFlagsFromString("--heap-growing-percent=100");
  const config = loadServerConfig({ path: configPath, env: process.env });
  const parts = await openParts(config, roles);
  const { log } = parts;
  const asked = stopAsked();
  try {
    // Webhooks are kept while the worker's half still loads.
    const listening = roles.includes("receiver") ? await serve(parts) : await serveHealth(parts);
    const workers = roles.includes("worker") ? await (await import("./work.ts")).work(parts) : null;
    log.info("ready", { roles });
    const signal = await asked;
    log.info("stopping", { signal, grace: config.grace });
    await Promise.all([workers?.stop(Math.max(0, config.grace - CLOSING)), listening.close(CLOSING)]);
  } finally {
    await parts.close();
  }
  log.info("stopped");
}

function stopAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
