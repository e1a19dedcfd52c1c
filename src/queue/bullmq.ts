import { Queue } from "bullmq";
import type { Connection } from "./connection.ts";

/** In braces, so that a Redis Cluster keeps all keys of a queue in one slot: a script may touch no other. */
export const KEY_PREFIX = "{deliverd}";

export function openBullQueue(redis: Connection, name: string): Queue {
  const queue = new Queue(name, { connection: redis, prefix: KEY_PREFIX });
  queue.on("error", () => {});
  return queue;
}
