import type { Log } from "../observe/log.ts";
import type { Counter } from "../observe/metrics.ts";
import type { Consumer } from "./consume.ts";
import type { Queues } from "./queues.ts";

/**
 * Finds consumers that hear nothing more though jobs wait for them and Redis answers others, as after a connection that a
 * network forgot without a word, and makes them anew. What is owed is in the queue: the sweep puts it there from the ledger.
 */
export class StalledConsumers {
  readonly #consumers: readonly Consumer[];
  readonly #queues: Pick<Queues, "countWaiting">;
  readonly #log: Log;
  readonly #renewed: Counter;
  /** What a consumer had heard when jobs waited for it at the last check. */
  readonly #before = new Map<Consumer, number>();

  constructor(consumers: readonly Consumer[], queues: Pick<Queues, "countWaiting">, log: Log, renewed: Counter) {
    this.#consumers = consumers;
    this.#queues = queues;
    this.#log = log;
    this.#renewed = renewed;
  }

  /** To be called now and then: what was silent at two checks in a row, while jobs waited at both, is made anew. */
  async check(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => this.#checkOne(consumer)));
  }

  async #checkOne(consumer: Consumer): Promise<void> {
    const { name } = consumer;
    const heard = consumer.jobEvents();
    const waiting = consumer.isFree() ? await this.#queues.countWaiting(name) : null;
    if (waiting === null || waiting === 0) {
      this.#before.delete(consumer);
      return;
    }
    if (this.#before.get(consumer) !== heard) {
      this.#before.set(consumer, heard);
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
