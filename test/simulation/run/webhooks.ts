import type { Hint } from "../../../src/hosts/host.ts";
import type { SimRepo } from "../world/host.ts";
import type { Machine, World } from "../world/process.ts";
import type { Scenario } from "./scenario.ts";
import type { Seen } from "./story.ts";

type Take = (body: Buffer) => Promise<void>;

/** Sends the host's webhooks: some are lost, some come twice, some late. */
export class Webhooks {
  readonly #world: World;
  readonly #rates: Scenario["webhooks"];
  readonly #seen: Seen;
  readonly #receivers: Machine[];
  readonly #takes = new Map<Machine, Take>();
  /** By the host's id of the repo. */
  readonly #first = new Map<string, Hint>();
  #sent = 0;

  constructor(world: World, scenario: Scenario, seen: Seen, receivers: Machine[]) {
    this.#world = world;
    this.#rates = scenario.webhooks;
    this.#seen = seen;
    this.#receivers = receivers;
  }

  start(machine: Machine): void {
    this.#takes.set(machine, machine.startReceiver(this.#world));
  }

  send(about: Omit<Hint, "deliveryId" | "repo">, { hostId, owner, name, defaultBranch }: SimRepo): void {
    const { random } = this.#world;
    this.#sent += 1;
    const hint: Hint = { ...about, repo: { hostId, owner, name, defaultBranch }, deliveryId: `webhook-${this.#sent}` };
    if (!this.#first.has(hostId)) this.#first.set(hostId, hint);
    if (random.chance(this.#rates.lost)) return;
    this.#bring(hint);
    if (random.chance(this.#rates.doubled)) this.#bring(hint);
  }

  /** A person lets the host send the first webhook of each repo again. */
  redeliverFirst(): void {
    for (const hint of this.#first.values()) this.#bring(hint);
  }

  #bring(hint: Hint): void {
    const { random, scheduler } = this.#world;
    const late = random.chance(this.#rates.late) ? random.between(1_000, 20_000) : 0;
    scheduler.in(random.between(20, 400) + late, null, () => {
      const up = this.#receivers.filter(({ actor }) => !actor.isDead);
      if (up.length === 0) return;
      const machine = random.pick(up);
      const { actor } = machine;
      scheduler.in(1, actor, () => {
        const answered = this.#takes.get(machine)?.(Buffer.from(JSON.stringify([hint])));
        answered?.then(
          () => {
            this.#seen.accepted.push(hint.deliveryId);
            if (hint.event === "check_run failed" && hint.sha !== null) this.#seen.toldRed.add(hint.sha);
          },
          // 503: the host does not try again by itself.
          () => {},
        );
      });
    });
  }
}
