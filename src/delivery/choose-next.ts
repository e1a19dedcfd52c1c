import type { RepoId } from "./types.ts";

/** A delivery whose work may begin now. */
export interface DueDelivery {
  id: string;
  repoId: RepoId;
  /** Full, as in `refs/heads/main`; null where none is known. */
  ref: string | null;
  /** When it came to be, in ms since the epoch. */
  createdAt: number;
  /** Its last attempt is to be tried again: what it waits for may still be down. Left out: no. */
  hasFailed?: boolean;
}

/** How a repo with due work stands among the others. */
export interface RepoLoad {
  /** How many of its deliveries are worked on. */
  running: number;
  /** When one of its deliveries was last taken, in ms since the epoch; 0: never. */
  servedAt: number;
}

/** A branch with more due commits than this is far behind: its newest is what people wait for. */
const FAR_BEHIND = 2;

/** How often it is the turn of what failed before, while there is something new. */
const FAILED_SHARE = 0.25;

/**
 * The delivery to take next. What has not failed goes first, and one turn in four is for what has: a registry that is down, or
 * hangs, must not hold every slot. Between repos: the one of whose deliveries the fewest are worked on, then the one whose turn
 * is longest ago. Within a repo in order of arrival, but of a branch that is far behind the newest.
 * @param chance a number in [0, 1)
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

/** The delivery of one ref that is to go before its others. */
function headOf(ofRef: Some<DueDelivery>): DueDelivery {
  const sorted = ofRef.toSorted(inOrder);
  return (ofRef.length > FAR_BEHIND ? sorted.at(-1) : sorted[0]) ?? ofRef[0];
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
