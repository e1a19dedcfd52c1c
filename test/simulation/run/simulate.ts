import { Network } from "../machine/network.ts";
import { Random } from "../machine/random.ts";
import { Scheduler } from "../machine/scheduler.ts";
import { History } from "../world/history.ts";
import { HostServer } from "../world/host.ts";
import type { Database } from "../world/ledger.ts";
import { Machine, type World } from "../world/process.ts";
import { QueueServer } from "../world/queue.ts";
import { RegistryServer } from "../world/registry.ts";
import { REGISTRIES, serverConfig } from "../world/settings.ts";
import { watchLedger, watchNames } from "./invariants.ts";
import { checkEnd } from "./oracle.ts";
import { isQuiet } from "./quiet.ts";
import type { Scenario } from "./scenario.ts";
import { act, createRepos, nothingSeen, type Seen } from "./story.ts";
import { Trace } from "./trace.ts";
import { Webhooks } from "./webhooks.ts";

/** The outcome of a run. */
export interface Outcome {
  scenario: Scenario;
  /** What was wrong; empty: nothing. */
  problems: string[];
  /** The same for the same seed. */
  hash: string;
  trace: Trace;
  /** Deliveries that ended `delivered`. */
  deliveries: number;
  kills: number;
  faults: number;
  events: number;
  /** Virtual ms. */
  time: number;
}

/** What the JavaScript thread of the runs offers: one database, and Node's time taken from here. */
export interface Stage {
  database: Database;
  /** Sets whose time Node shows. */
  use(machine: { scheduler: Scheduler; random: Random }): void;
  /** Gives the real event loop a turn. */
  turn(): Promise<void>;
}

/** Any time will do, as long as it is the same each time. */
const START = Date.UTC(2030, 0, 1);
const BOOT_MS = 3_000;
/** How often it is asked whether anything is still owed (ms). */
const LOOK_EVERY = 3_000;
/** By then nothing may be owed any more, once the world is well (ms). */
const LONGEST_RECOVERY = 40 * 60_000;

/** Runs a scenario to its end, and judges it. */
export async function simulate(scenario: Scenario, stage: Stage): Promise<Outcome> {
  await stage.database.clear();
  const run = new Run(scenario, stage);
  stage.use(run.world);
  return run.toEnd();
}

class Run {
  readonly world: World;
  readonly #scenario: Scenario;
  readonly #seen: Seen = nothingSeen();
  readonly #trace: Trace;
  readonly #problems = new Set<string>();
  readonly #workers: Machine[];
  readonly #webhooks: Webhooks;
  readonly #starts = new Map<Machine, () => void>();
  #kills = 0;

  constructor(scenario: Scenario, stage: Stage) {
    this.#scenario = scenario;
    const scheduler = new Scheduler(START, stage.turn);
    const random = new Random(scenario.seed ^ 0x5eed);
    this.#trace = new Trace(() => scheduler.now);
    const network = new Network(scheduler, random, scenario.rates, {
      kill: (actor) => this.#killActor(actor.name),
      pause: (actor, ms) => {
        actor.pausedUntil = Math.max(actor.pausedUntil, scheduler.now + ms);
      },
      noteFault: (fault, caller, to) => this.#trace.fault(fault, caller.name, to),
    });
    network.rates = null;
    const problem = (text: string) => this.#problem(text);
    const onWrite = watchNames(stage.database, problem);
    this.world = {
      ...{ scheduler, random, network, database: stage.database, history: new History(), host: new HostServer() },
      registries: new Map(REGISTRIES.map((key) => [key, new RegistryServer(key, onWrite)])),
      queue: new QueueServer(scheduler, network),
      notices: [],
      config: serverConfig(scenario.prepare, false),
      isReproducible: scenario.isReproducible,
      onBug: (message, error) => problem(`deliverd itself failed: ${message}: ${error.stack ?? error.message}`),
    };
    const { database, host } = this.world;
    database.watch = watchLedger({ database, host, seen: this.#seen, now: () => scheduler.now, problem });
    this.#workers = Array.from({ length: scenario.workers }, (_, index) => new Machine(`worker${index + 1}`));
    for (const machine of this.#workers) this.#starts.set(machine, () => machine.startWorker(this.world));
    const receivers = Array.from({ length: scenario.receivers }, (_, index) => new Machine(`receiver${index + 1}`));
    this.#webhooks = new Webhooks(this.world, scenario, this.#seen, receivers);
    for (const machine of receivers) this.#starts.set(machine, () => this.#webhooks.start(machine));
  }

  async toEnd(): Promise<Outcome> {
    const { scheduler, network } = this.world;
    const { actions, calmAt, rates } = this.#scenario;
    createRepos({ world: this.world, scenario: this.#scenario, seen: this.#seen });
    for (const start of this.#starts.values()) start();
    await scheduler.runUntil(START + BOOT_MS);
    network.rates = rates;
    const began = scheduler.now;
    for (const action of actions) {
      await scheduler.runUntil(began + action.at);
      this.#trace.action(action);
      await act({ ...this.#parts(), world: this.world }, action);
    }
    await scheduler.runUntil(began + calmAt);
    this.#calm();
    await this.#settle();
    for (const problem of await checkEnd(this.world, this.#scenario, this.#seen)) this.#problem(problem);
    return this.#outcome();
  }

  #parts() {
    return {
      scenario: this.#scenario,
      workers: this.#workers,
      seen: this.#seen,
      sendWebhook: this.#webhooks.send.bind(this.#webhooks),
      kill: (machine: Machine) => this.#killActor(machine.actor.name),
      pause: (machine: Machine, ms: number) => {
        machine.actor.pausedUntil = this.world.scheduler.now + ms;
      },
    };
  }

  /** The process is gone at once; what it had sent may still arrive. Its supervisor starts another. */
  #killActor(name: string): void {
    const [machine, start] = [...this.#starts].find(([each]) => each.actor.name === name) ?? [];
    if (machine === undefined || start === undefined || machine.actor.isDead) return;
    machine.actor.isDead = true;
    this.world.queue.leave(machine.actor);
    this.#kills += 1;
    this.#trace.note(`${name} is killed`);
    const { scheduler, random } = this.world;
    const dead = machine.actor;
    scheduler.in(random.between(300, 25_000), null, () => {
      if (machine.actor === dead) start();
    });
  }

  /** Nothing fails any more, and everything runs. */
  #calm(): void {
    const { network, queue, host, registries, scheduler } = this.world;
    network.rates = null;
    for (const server of [queue, host, ...registries.values()]) server.downUntil = 0;
    for (const [machine, start] of this.#starts) {
      machine.actor.pausedUntil = scheduler.now;
      if (machine.actor.isDead) start();
    }
    this.#trace.note("the world is well");
    this.#webhooks.redeliverFirst();
  }

  async #settle(): Promise<void> {
    const { scheduler } = this.world;
    const limit = scheduler.now + LONGEST_RECOVERY;
    let owed = "";
    while (scheduler.now < limit) {
      await scheduler.runUntil(scheduler.now + LOOK_EVERY);
      owed = await isQuiet(this.world, this.#scenario, this.#seen);
      if (owed === "") return;
    }
    this.#problem(`owed for ever: ${owed}`);
  }

  #problem(text: string): void {
    if (this.#problems.has(text)) return;
    this.#problems.add(text);
    this.#trace.note(`PROBLEM ${text}`);
  }

  async #outcome(): Promise<Outcome> {
    const { scheduler, network, database } = this.world;
    const [done] = await database.ask<{ n: number }>("select count(*) as n from deliveries where state = 'delivered'");
    const hash = await this.#trace.hash(this.world);
    if (this.#problems.size > 0) await this.#trace.explain(this.world, this.#seen);
    return {
      scenario: this.#scenario,
      problems: [...this.#problems],
      hash,
      trace: this.#trace,
      deliveries: Number(done?.n ?? 0),
      ...{ kills: this.#kills, faults: network.faults, events: scheduler.events, time: scheduler.now - START },
    };
  }
}
