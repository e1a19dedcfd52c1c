import type { Consumer } from "../../../src/queue/consume.ts";
import { type Jobs, jobKey, type QueueName, type Queues } from "../../../src/queue/queues.ts";
import type { Consume } from "../../../workers/main.ts";
import type { Network } from "../machine/network.ts";
import type { Actor, Scheduler } from "../machine/scheduler.ts";

interface Job {
  name: QueueName;
  data: Jobs[QueueName];
  /** Jobs with the same key do the same work. */
  key: string;
  /** The process that has it; null while it waits. */
  holder: Actor | null;
  /** Counts its begins: only the last one may end it. */
  runs: number;
}

interface Subscriber {
  actor: Actor;
  name: QueueName;
  places: number;
  running: number;
  begin(job: Job): void;
}

/** After so long the queue gives the job of a dead process to another (ms): lock and check of BullMQ. */
const STALLED_AFTER_MS = 10_000;

/** Redis and BullMQ: jobs with keys, one waiting for each, and a follower where one came during its run. */
export class QueueServer {
  #waiting: Job[] = [];
  /** By key, also of delayed jobs. */
  readonly #held = new Map<string, Job>();
  /** By key: what came while a job with this key ran. */
  readonly #followers = new Map<string, Job>();
  readonly #subscribers: Subscriber[] = [];
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  /** Jobs that were there before Redis was emptied are gone. */
  #era = 0;
  downUntil = 0;

  constructor(scheduler: Scheduler, network: Network) {
    this.#scheduler = scheduler;
    this.#network = network;
  }

  empty(): void {
    this.#era += 1;
    this.#waiting = [];
    this.#held.clear();
    this.#followers.clear();
  }

  add(name: QueueName, data: Jobs[QueueName], delay: number): void {
    const key = `${delay > 0 ? "later|" : ""}${name}|${jobKey(data)}`;
    const job: Job = { name, data, key, holder: null, runs: 0 };
    const known = this.#held.get(key);
    if (known !== undefined) {
      if (known.holder !== null) this.#followers.set(key, job);
      return;
    }
    this.#held.set(key, job);
    const era = this.#era;
    if (delay > 0) this.#scheduler.in(delay, null, () => era === this.#era && this.#queue(job));
    else this.#queue(job);
  }

  countWaiting(name: QueueName): number {
    return this.#waiting.filter((job) => job.name === name).length;
  }

  /** Takes jobs for a process until it dies. */
  subscribe(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber);
    this.#hand();
  }

  leave(actor: Actor): void {
    for (let at = this.#subscribers.length - 1; at >= 0; at--)
      if (this.#subscribers[at]?.actor === actor) this.#subscribers.splice(at, 1);
  }

  /** A job's work has ended in its process. */
  end(job: Job, run: number, subscriber: Subscriber): void {
    subscriber.running -= 1;
    if (job.runs === run && this.#held.get(job.key) === job) this.#release(job);
    this.#hand();
  }

  /** Other jobs with the key of this running one may wait from now on. */
  forgetKey(job: Job): void {
    if (this.#held.get(job.key) === job) this.#release(job);
  }

  #release(job: Job): void {
    this.#held.delete(job.key);
    const follower = this.#followers.get(job.key);
    this.#followers.delete(job.key);
    if (follower === undefined) return;
    this.#held.set(job.key, follower);
    this.#queue(follower);
  }

  #queue(job: Job): void {
    this.#waiting.push(job);
    this.#hand();
  }

  #hand(): void {
    if (this.#scheduler.now < this.downUntil) {
      this.#scheduler.at(this.downUntil, null, () => this.#hand());
      return;
    }
    for (const job of [...this.#waiting]) {
      const free = this.#subscribers.filter(
        (one) => one.name === job.name && one.running < one.places && isUp(one.actor, this.#scheduler.now),
      );
      const subscriber = free.toSorted((one, other) => one.running - other.running)[0];
      if (subscriber === undefined) {
        this.#handAfterPause(job);
        continue;
      }
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#begin(job, subscriber);
    }
  }

  /** A process that stopped for a while asks for jobs when it goes on. */
  #handAfterPause({ name }: Job): void {
    const paused = this.#subscribers.filter(
      ({ actor, ...one }) => one.name === name && !actor.isDead && actor.pausedUntil > this.#scheduler.now,
    );
    const until = Math.min(...paused.map(({ actor }) => actor.pausedUntil));
    if (until < Number.POSITIVE_INFINITY) this.#scheduler.at(until, null, () => this.#hand());
  }

  #begin(job: Job, subscriber: Subscriber): void {
    const { actor } = subscriber;
    job.holder = actor;
    job.runs += 1;
    subscriber.running += 1;
    this.#watch(job, job.runs, this.#era);
    this.#scheduler.in(1, actor, () => subscriber.begin(job));
  }

  /** Gives the job to another where its process stops renewing its lock. */
  #watch(job: Job, run: number, era: number): void {
    this.#scheduler.in(STALLED_AFTER_MS, null, () => {
      if (era !== this.#era || job.runs !== run || this.#held.get(job.key) !== job) return;
      if (job.holder !== null && isUp(job.holder, this.#scheduler.now)) return this.#watch(job, run, era);
      job.holder = null;
      this.#queue(job);
    });
  }

  /** A process's connection. */
  queuesOf(caller: Actor): Queues {
    return {
      add: (name, data, { delay = 0 } = {}) =>
        this.#network
          .call({
            ...{ caller, to: "Redis", latency: [0, 5], patience: 3_000 },
            failure: (why) => new Error(`no answer from Redis: ${why}`),
            serve: () => {
              if (this.#scheduler.now < this.downUntil) throw new Error("Redis is down");
              this.add(name, data, delay);
              return true;
            },
          })
          .catch(() => false),
      ping: async () => true,
      countWaiting: async (name) => this.countWaiting(name),
      close: async () => {},
    };
  }

  consumeFor(actor: Actor): Consume {
    return (name, places, work) => {
      let events = 0;
      const subscriber: Subscriber = {
        ...{ actor, name, places, running: 0 },
        begin: (job) => {
          events += 1;
          const run = job.runs;
          // As the consumer of src/queue/consume.ts does.
          if (name === "deliver") this.forgetKey(job);
          const ended = () => {
            events += 1;
            this.#scheduler.in(1, null, () => this.end(job, run, subscriber));
          };
          void work(job.data as never).then(ended, ended);
        },
      };
      this.subscribe(subscriber);
      const consumer: Consumer = {
        name,
        jobEvents: () => events,
        isFree: () => subscriber.running < places,
        reconnect: () => {},
        close: async () => this.leave(actor),
        abandon: async () => this.leave(actor),
      };
      return consumer;
    };
  }
}

function isUp(actor: Actor, now: number): boolean {
  return !actor.isDead && actor.pausedUntil <= now;
}
