import { createHash } from "node:crypto";
import type { Fault } from "../machine/network.ts";
import type { World } from "../world/process.ts";
import type { Action } from "./scenario.ts";

/** What happened in a run, for people, and its hash. */
export class Trace {
  readonly lines: string[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(text: string): void {
    this.lines.push(`${(this.#now() / 1000).toFixed(3).padStart(9)}  ${text}`);
  }

  fault(fault: Fault, caller: string, to: string): void {
    this.note(`${fault}: ${caller} calls ${to}`);
  }

  action({ at: _at, ...action }: Action): void {
    const { kind, ...facts } = action;
    this.note(`${kind} ${JSON.stringify(facts)}`);
  }

  /** Of all that was seen, the order of events, and what stands in the ledger and in the registries. */
  async hash({ database, registries, scheduler, notices }: World): Promise<string> {
    const hash = createHash("sha256");
    hash.update(this.lines.join("\n")).update(`${scheduler.events} ${scheduler.now}`);
    for (const table of ["deliveries", "decisions", "attempts", "releases", "locations", "outbox", "hints"])
      hash.update(JSON.stringify(await database.ask(`select * from ${table}`), (_, value) => String(value)));
    for (const registry of registries.values()) hash.update(JSON.stringify([...registry.tags]));
    return hash.update(JSON.stringify(notices)).digest("hex").slice(0, 16);
  }
}
