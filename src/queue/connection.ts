import { Redis, type RedisOptions } from "ioredis";
import { ConfigError } from "../delivery/errors.ts";
import type { Log } from "../log.ts";

/** Where Redis is: a URL from the configuration, or the private server's socket. */
export type RedisAddress = { url: string } | { socket: string };

/** For consumers: waits for Redis as long as it takes. */
export function patientConnection(address: RedisAddress): Redis {
  return open(address, { maxRetriesPerRequest: null });
}

/** For producers: says at once when Redis is not there. The ledger remembers what could not be queued. */
export function hastyConnection(address: RedisAddress): Redis {
  return open(address, { maxRetriesPerRequest: 1 });
}

/** Without the one option whose type in ioredis does not fit exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, "replyMapping">;

function open(address: RedisAddress, options: Options): Redis {
  const common: Options = { retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000), ...options };
  const redis = "socket" in address ? new Redis({ path: address.socket, ...common }) : new Redis(address.url, common);
  // Each attempt to connect again would raise; readiness tells the state instead.
  redis.on("error", () => {});
  return redis;
}

/**
 * A queue in a Redis that throws keys away under memory pressure loses jobs without a word.
 * @throws ConfigError when the eviction policy is another than noeviction.
 */
export async function refuseEviction(redis: Redis, log: Log): Promise<void> {
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
