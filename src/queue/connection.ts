import { Cluster, Redis, type RedisOptions, ReplyError } from "ioredis";
import { ConfigError } from "../delivery/errors.ts";
import { reasonWithoutAnswer } from "../http/no-answer.ts";
import type { Log } from "../observe/log.ts";

/** Where Redis is: a URL from the configuration (any node of a cluster), or the socket of the private server. */
export type RedisAddress = { url: string; isCluster?: boolean } | { socket: string };

export type Connection = Redis | Cluster;

/** For consumers: commands wait until Redis is available. */
export function persistentConnection(address: RedisAddress): Connection {
  return open(address, { maxRetriesPerRequest: null });
}

/** For producers: commands fail at once if Redis is not available. The ledger remembers what could not be queued. */
export function failFastConnection(address: RedisAddress): Connection {
  return open(address, { maxRetriesPerRequest: 1 });
}

/** Omits the one option whose type in ioredis does not compile with exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, "replyMapping">;

function open(address: RedisAddress, options: Options): Connection {
  const common: Options = { retryStrategy, reconnectOnError, ...options };
  const redis =
    "socket" in address
      ? new Redis({ path: address.socket, ...common })
      : address.isCluster
        ? clusterAt(new URL(address.url), options)
        : new Redis(address.url, common);
  // Without a listener, each failed attempt to reconnect would throw. /readyz reports whether Redis is available.
  redis.on("error", () => {});
  return redis;
}

const retryStrategy = (times: number) => Math.min(50 * 2 ** times, 1_000);

/** After a failover the old server accepts no writes, and the host name may lead to the new one: so reconnect. */
const reconnectOnError = ({ message }: Error) => /\b(?:READONLY|UNBLOCKED)\b/.test(message);

function clusterAt(url: URL, options: Options): Cluster {
  const login = {
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
  return new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], {
    clusterRetryStrategy: retryStrategy,
    // Connect by host name: a certificate contains names, not the IP addresses that the cluster reports.
    ...(url.protocol === "rediss:" ? { dnsLookup: (address, done) => done(null, address) } : {}),
    redisOptions: { ...options, ...login },
  });
}

/** Whether this Redis is a node of a cluster: keys may then be on other nodes. */
export async function isClusterNode(redis: Connection): Promise<boolean> {
  return /^cluster_enabled:1/m.test(await redis.info("cluster").catch(() => ""));
}

/**
 * Requires the eviction policy `noeviction`: otherwise Redis silently deletes jobs when its memory is full.
 * @throws ConfigError `redis-evicts`
 */
export async function requireNoEviction(redis: Connection, log: Log): Promise<void> {
  const value = await evictionPolicy(redis);
  if (value instanceof Error) {
    log.warn(
      "redisUrl: Redis does not answer. deliverd keeps webhooks, and works on them when Redis is back. " +
        "Check that Redis runs there, or correct redisUrl.",
      { error: reasonWithoutAnswer(value) },
    );
  } else if (value === null) {
    log.warn("Redis does not report its maxmemory-policy: make sure that it is noeviction");
  } else if (value !== "noeviction") {
    throw new ConfigError(
      "redis-evicts",
      `redisUrl: this Redis has maxmemory-policy ${value} and may delete queued jobs. ` +
        "Set it to noeviction (redis-cli config set maxmemory-policy noeviction).",
    );
  }
}

/** Null: this Redis does not tell, as hosted ones. An error: there was no answer, for this reason. */
async function evictionPolicy(redis: Connection): Promise<string | null | Error> {
  // A command that fails says only how often it was tried. Why is in the events.
  let reason: Error | undefined;
  const onError = (error: Error) => {
    reason = error;
  };
  redis.on("error", onError);
  try {
    const policy = await redis.config("GET", "maxmemory-policy");
    return Array.isArray(policy) ? String(policy[1] ?? "") || null : null;
  } catch (error) {
    return error instanceof ReplyError ? null : (reason ?? (error as Error));
  } finally {
    redis.off("error", onError);
  }
}
