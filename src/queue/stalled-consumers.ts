import type { Log } from "../observe/log.ts";
import type { Counter } from "../observe/metrics.ts";
import type { Consumer } from "./consume.ts";
import type { Queues } from "./queues.ts";

/**
 * Reconnects consumers that get no jobs although jobs wait and Redis answers. This happens after a network has silently
 * dropped a connection. No work is lost: the sweep queues it again from the ledger.
 */
export class StalledConsumers {
  readonly #consumers: readonly Consumer[];
  readonly #queues: Pick<Queues, "countWaiting">;
  readonly #log: Log;
  readonly #renewed: Counter;
  /** The `jobEvents` of consumers for which jobs waited at the last check. */
  readonly #before = new Map<Consumer, number>();

  constructor(consumers: readonly Consumer[], queues: Pick<Queues, "countWaiting">, log: Log, renewed: Counter) {
    this.#consumers = consumers;
    this.#queues = queues;
    this.#log = log;
    this.#renewed = renewed;
  }

  /** To be called regularly. Reconnects a consumer if jobs waited at two checks and it got none in between. */
  async check(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => this.#checkOne(consumer)));
  }

  async #checkOne(consumer: Consumer): Promise<void> {
    const { name } = consumer;
    const events = consumer.jobEvents();
    const waiting = consumer.isFree() ? await this.#queues.countWaiting(name) : null;
    if (waiting === null || waiting === 0) {
      this.#before.delete(consumer);
      return;
    }
    if (this.#before.get(consumer) !== events) {
      this.#before.set(consumer, events);
      return;
    }
    this.#before.delete(consumer);
    this.#log.warn("a consumer heard nothing while jobs waited and Redis answered: it is made anew", {
      queue: name,
      waiting,
    });
    this.#renewed.add({ queue: name });
    consumer.reconnect();
  }
}
