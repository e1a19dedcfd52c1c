import type { RepoId } from "./types.ts";

/** A delivery on which work may start now. */
export interface DueDelivery {
  id: string;
  repoId: RepoId;
  /** Full, as in `refs/heads/main`. Null: not known. */
  ref: string | null;
  /** In ms since the epoch. */
  createdAt: number;
  /** Its last attempt failed and is to be retried: what it needs may still be down. Left out: no. */
  hasFailed?: boolean;
}

/** How much work a repo already gets. */
export interface RepoLoad {
  /** Number of its deliveries that workers are working on. */
  running: number;
  /** When a worker last took one of its deliveries, in ms since the epoch. 0: never. */
  servedAt: number;
}

/** A branch with more due commits than this is far behind: people wait for its newest commit. */
const MAX_DUE_IN_ORDER = 2;

/** Share of the turns that failed deliveries get while there are new ones. */
const FAILED_SHARE = 0.25;

/**
 * Chooses the delivery that a worker takes next. New deliveries come first, and failed ones get one turn in four: a
 * registry that is down must not fill every slot. Among repos: the one with the fewest deliveries in work, then the one
 * that has waited longest. Within a repo: the oldest, or the newest of a branch that is far behind.
 * @param chance a random number in [0, 1)
 */
export function chooseNext(
  due: readonly DueDelivery[],
  turnOf: (repo: RepoId) => RepoLoad,
  chance = 1,
): DueDelivery | null {
  const fresh = due.filter((each) => !each.hasFailed);
  const failed = due.filter((each) => each.hasFailed);
  const isFailedsTurn = fresh.length === 0 || (failed.length > 0 && chance < FAILED_SHARE);
  const heads = [...grouped(isFailedsTurn ? failed : fresh, (each) => each.repoId).values()].map((ofRepo) => ({
    head: earliest([...grouped(ofRepo, (each) => each.ref ?? each.id).values()].map(headOf)),
    turn: turnOf(ofRepo[0].repoId),
  }));
  heads.sort((a, b) => a.turn.running - b.turn.running || a.turn.servedAt - b.turn.servedAt || inOrder(a.head, b.head));
  return heads[0]?.head ?? null;
}

/** The delivery of one ref that comes before the ref's others. */
function headOf(ofRef: Some<DueDelivery>): DueDelivery {
  const sorted = ofRef.toSorted(inOrder);
  return (ofRef.length > MAX_DUE_IN_ORDER ? sorted.at(-1) : sorted[0]) ?? ofRef[0];
}

function earliest(heads: DueDelivery[]): DueDelivery {
  return heads.reduce((first, each) => (inOrder(each, first) < 0 ? each : first));
}

function inOrder(a: DueDelivery, b: DueDelivery): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

type Some<T> = [T, ...T[]];

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, Some<T>> {
  const groups = new Map<string, Some<T>>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
