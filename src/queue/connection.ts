import { Cluster, Redis, type RedisOptions } from "ioredis";
import { ConfigError } from "../delivery/errors.ts";
import type { Log } from "../observe/log.ts";

/** Where Redis is: a URL from the configuration, or the private server's socket. A node of a cluster leads to all of it. */
export type RedisAddress = { url: string; isCluster?: boolean } | { socket: string };

export type Connection = Redis | Cluster;

/** For consumers: waits for Redis as long as it takes. */
export function persistentConnection(address: RedisAddress): Connection {
  return open(address, { maxRetriesPerRequest: null });
}

/** For producers: says at once when Redis is not there. The ledger remembers what could not be queued. */
export function failFastConnection(address: RedisAddress): Connection {
  return open(address, { maxRetriesPerRequest: 1 });
}

/** Without the one option whose type in ioredis does not fit exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, "replyMapping">;

function open(address: RedisAddress, options: Options): Connection {
  const common: Options = { retryStrategy, reconnectOnError, ...options };
  const redis =
    "socket" in address
      ? new Redis({ path: address.socket, ...common })
      : address.isCluster
        ? clusterAt(new URL(address.url), options)
        : new Redis(address.url, common);
  // Each attempt to connect again would raise; readiness tells the state instead.
  redis.on("error", () => {});
  return redis;
}

const retryStrategy = (times: number) => Math.min(50 * 2 ** times, 1_000);

/** After a failover the name may lead elsewhere, and the server that we still hold on to takes no writes any more. */
const reconnectOnError = ({ message }: Error) => /\b(?:READONLY|UNBLOCKED)\b/.test(message);

function clusterAt(url: URL, options: Options): Cluster {
  const login = {
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
  return new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], {
    clusterRetryStrategy: retryStrategy,
    // The names in a certificate, not the addresses that the cluster tells of its nodes.
    ...(url.protocol === "rediss:" ? { dnsLookup: (address, done) => done(null, address) } : {}),
    redisOptions: { ...options, ...login },
  });
}

/** Is this one node of a Redis Cluster? Then its keys may lie on another. */
export async function isClusterNode(redis: Connection): Promise<boolean> {
  return /^cluster_enabled:1/m.test(await redis.info("cluster").catch(() => ""));
}

/**
 * A queue in a Redis that throws keys away under memory pressure loses jobs without a word.
 * @throws ConfigError when the eviction policy is another than noeviction.
 */
export async function requireNoEviction(redis: Connection, log: Log): Promise<void> {
  const policy = await redis.config("GET", "maxmemory-policy").catch(() => null);
  const value = Array.isArray(policy) ? String(policy[1] ?? "") : "";
  if (value === "") {
    log.warn("Redis does not tell its maxmemory-policy; it must be noeviction");
    return;
  }
  if (value !== "noeviction") {
    throw new ConfigError(
      "redis-evicts",
      `redisUrl: this Redis has maxmemory-policy ${value} and may throw queued work away. Set it to noeviction (redis-cli config set maxmemory-policy noeviction).`,
    );
  }
}
