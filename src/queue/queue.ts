import { Queue } from "bullmq";
import type { Redis } from "ioredis";

export const PREFIX = "deliverd";

export function openQueue(redis: Redis, name: string): Queue {
  const queue = new Queue(name, { connection: redis, prefix: PREFIX });
  queue.on("error", () => {});
  return queue;
}
