import { join } from "node:path";
import { settleAll } from "../async/settle-all.ts";
import { type ServerConfig, secretsOf } from "../config/server.ts";
import { ConfigError } from "../delivery/errors.ts";
import type { Host } from "../hosts/host.ts";
import { openHosts } from "../hosts/index.ts";
import { FINISHED_STATES } from "../ledger/deliveries.ts";
import { type Ledger, type LedgerEvent, openLedger } from "../ledger/ledger.ts";
import { createLog, type Log } from "../observe/log.ts";
import { createMask, type LearningMask } from "../observe/mask.ts";
import { createMetrics, type Metrics } from "../observe/metrics.ts";
import { createObserver } from "../observe/observer.ts";
import { type Observer, towards } from "../observe/scope.ts";
import { failFastConnection, isClusterNode, type RedisAddress, requireNoEviction } from "../queue/connection.ts";
import { startPrivateRedis } from "../queue/private-redis.ts";
import { openQueues, type Queues } from "../queue/queues.ts";
import { openRegistries } from "../registries/index.ts";
import type { Registry } from "../registries/registry.ts";
import { Store } from "../store/store.ts";
import { loadAdminToken, lockDataDir, type Role } from "./data-dir.ts";
import { hostTools } from "./host-tools.ts";
import { addCommonMetrics } from "./metrics.ts";
import { openTracer, tracingSecrets } from "./tracing.ts";

/** What every process of deliverd uses, whatever its roles are. */
export interface Parts {
  config: ServerConfig;
  /** Null in a process that is only a worker: nobody signs in there. */
  adminToken: string | null;
  log: Log;
  mask: LearningMask;
  metrics: Metrics;
  observer: Observer;
  ledger: Ledger;
  redis: RedisAddress;
  queues: Queues;
  hosts: Map<string, Host>;
  store: Store;
  registries: Map<string, Registry>;
  /** Closes everything, in the reverse order of opening. */
  close(): Promise<void>;
}

/**
 * Opens everything that a process with these roles needs. If something fails, what was opened is closed again.
 * @throws ConfigError if the configuration is wrong, TransientError if something does not answer now
 */
export async function openParts(config: ServerConfig, roles: Role[]): Promise<Parts> {
  const closing: (() => unknown)[] = [];
  const close = async () => {
    for (const each of closing.reverse().splice(0)) await each();
  };
  try {
    if (roles.length === 1 && config.redisUrl === null) {
      throw new ConfigError(
        "redis-url-missing",
        "redisUrl: a receiver and a worker in separate processes need a common Redis. " +
          "Set redisUrl, or run both in one process with `deliverd start`.",
      );
    }
    const held = await lockDataDir(config.dataDir, roles);
    closing.push(() => held.release());
    const admin = roles.includes("receiver")
      ? await loadAdminToken(config.dataDir, config.adminToken ?? undefined)
      : { token: null, file: null };
    const mask = createMask([
      ...secretsOf(config),
      ...tracingSecrets(process.env),
      ...(admin.token === null ? [] : [admin.token]),
    ]);
    const log = createLog({ mask });
    if (admin.file !== null) log.info("the admin token is in a file", { file: admin.file });

    const tracer = await openTracer(process.env, log, mask);
    closing.push(() => tracer?.close());
    const metrics = createMetrics();
    const observer = createObserver({ metrics, log, tracer });
    const ended = metrics.counter("deliverd_deliveries_total", "Deliveries that ended, by how they ended.");
    // Prometheus sees no increase from nothing to one: what an alert asks for begins with 0.
    for (const outcome of FINISHED_STATES) ended.add({ outcome }, 0);
    const onEvent = ({ outcome }: LedgerEvent) => ended.add({ outcome });
    const [ledger, redis] = await settleAll([
      openLedger({ dataDir: config.dataDir, databaseUrl: config.databaseUrl ?? undefined, onEvent }).then((one) => {
        closing.push(() => one.close());
        return one;
      }),
      openRedis(config, log, closing),
    ]);
    const queues = openQueues(redis, log);
    closing.push(() => queues.close());
    const store = new Store(join(config.dataDir, "store"));
    const hosts = observedHosts(observer, await openHosts(config.hosts, hostTools(ledger, mask.learn)));
    const opened = await openRegistries(config.registries, { store, learn: mask.learn });
    const registries = observedRegistries(observer, opened);
    addCommonMetrics(metrics, { config, hosts });
    return {
      config,
      adminToken: admin.token,
      log,
      mask,
      metrics,
      observer,
      ledger,
      redis,
      queues,
      hosts,
      store,
      registries,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function observedHosts(observer: Observer, hosts: Map<string, Host>): Map<string, Host> {
  // These ask nobody: they read a webhook, remember an answer, or do work of others.
  const silent = ["readHints", "verifyCi", "budget", "counted", "accountOf"] as const;
  return new Map([...hosts].map(([key, host]) => [key, towards(observer, key, host, silent)]));
}

/** Each call of a registry is counted under its key. */
export function observedRegistries(observer: Observer, registries: Map<string, Registry>): Map<string, Registry> {
  return new Map([...registries].map(([key, registry]) => [key, towards(observer, key, registry)]));
}

async function openRedis(config: ServerConfig, log: Log, closing: (() => unknown)[]): Promise<RedisAddress> {
  if (config.redisUrl === null) {
    const server = await startPrivateRedis(config.dataDir, log);
    closing.push(() => server.stop());
    return { socket: server.socket };
  }
  const address = { url: config.redisUrl };
  const connection = failFastConnection(address);
  try {
    await requireNoEviction(connection, log);
    return { ...address, isCluster: await isClusterNode(connection) };
  } finally {
    connection.disconnect();
  }
}
