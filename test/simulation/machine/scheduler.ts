/** Whoever does something: a simulated process. What a dead one waits for never comes; a paused one gets it later. */
export interface Actor {
  readonly name: string;
  isDead: boolean;
  /** Virtual ms. */
  pausedUntil: number;
}

/** Of events at the same time, a process sees its timers before its answers, as Node does after a pause. */
type Rank = 0 | 1;

interface Event {
  at: number;
  rank: Rank;
  place: number;
  actor: Actor | null;
  run(): void;
}

/** A virtual clock and a list of what happens when. One event runs at a time, with all that follows from it. */
export class Scheduler {
  /** Virtual ms since the epoch. */
  now: number;
  /** The process whose code runs now; null: the world outside. */
  current: Actor | null = null;
  events = 0;
  #places = 0;
  readonly #heap: Event[] = [];
  readonly #turn: () => Promise<void>;

  /** @param turn gives the real event loop a turn */
  constructor(start: number, turn: () => Promise<void>) {
    this.now = start;
    this.#turn = turn;
  }

  at(at: number, actor: Actor | null, run: () => void, rank: Rank = 1): void {
    this.#push({ at: Math.max(at, this.now), rank, place: this.#places++, actor, run });
  }

  in(ms: number, actor: Actor | null, run: () => void, rank: Rank = 1): void {
    this.at(this.now + ms, actor, run, rank);
  }

  /** Runs what happens until `until`, or until there is nothing left. */
  async runUntil(until: number): Promise<void> {
    for (let event = this.#heap[0]; event !== undefined && event.at <= until; event = this.#heap[0]) {
      this.#pop();
      const { actor } = event;
      if (actor?.isDead) continue;
      if (actor !== null && actor.pausedUntil > event.at) {
        this.#push({ ...event, at: actor.pausedUntil });
        continue;
      }
      this.now = event.at;
      this.current = actor;
      event.run();
      await quiet();
      this.events += 1;
      if (this.events % EVENTS_PER_TURN === 0) await this.#turn();
    }
    this.current = null;
    this.now = Math.max(this.now, until);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above] as Event)) break;
      heap[at] = heap[above] as Event;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below += 1;
      if (!isBefore(heap[below] as Event, last)) break;
      heap[at] = heap[below] as Event;
      at = below;
    }
    heap[at] = last;
  }
}

const EVENTS_PER_TURN = 2_000;

function isBefore(one: Event, other: Event): boolean {
  if (one.at !== other.at) return one.at < other.at;
  return one.rank !== other.rank ? one.rank < other.rank : one.place < other.place;
}

/** Resolves when every promise that could continue has continued: Node empties them before the next tick. */
function quiet(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
