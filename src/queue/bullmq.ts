import { Queue } from "bullmq";
import type { Connection } from "./connection.ts";

/** The braces make a Redis Cluster keep all keys in one slot: BullMQ's scripts may use keys of one slot only. */
export const KEY_PREFIX = "{deliverd}";

export function openBullQueue(redis: Connection, name: string): Queue {
  const queue = new Queue(name, { connection: redis, prefix: KEY_PREFIX });
  queue.on("error", () => {});
  return queue;
}
