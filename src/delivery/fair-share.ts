/** One turn in so many is for what failed before, however much is new. */
const TURNS_PER_FAILED = 4;

/**
 * Takes up to `limit` items from two lists. New items come first, and failed ones get every fourth turn, so that
 * neither list blocks the other. When one list ends, the other gets its turns. An item in both lists comes once.
 * @param turn number of turns before this choice
 */
export function freshFirst<T>(fresh: readonly T[], again: readonly T[], limit: number, turn = 0): T[] {
  const chosen = new Set<T>();
  const [news, olds] = [fresh.values(), again.values()];
  for (let taken = turn; chosen.size < limit; taken++) {
    const isOlds = taken % TURNS_PER_FAILED === TURNS_PER_FAILED - 1;
    const next = (isOlds ? olds.next() : news.next()).value ?? (isOlds ? news.next() : olds.next()).value;
    if (next === undefined) break;
    chosen.add(next);
  }
  return [...chosen];
}

/** Work that a worker is doing now. */
export interface RunningWork {
  repo: string;
  host: string;
  /** It failed the last time. */
  hasFailed: boolean;
  /** It has already taken long, as work that hangs does. */
  isSlow: boolean;
}

/**
 * Whether work may start now, or must leave its place to other work. At most half of the places go to work that failed
 * before, at most half to slow work on one repo, and at most three quarters to slow work on one host. So new work finds
 * a place even if something hangs.
 */
export function mayStart(running: readonly RunningWork[], next: Omit<RunningWork, "isSlow">, places: number): boolean {
  const count = (counts: (one: RunningWork) => boolean) => running.filter(counts).length;
  const half = Math.max(1, Math.floor(places / 2));
  if (next.hasFailed && count((one) => one.hasFailed) >= half) return false;
  const slow = count((one) => one.isSlow && one.repo === next.repo);
  return (
    slow < half && count((one) => one.isSlow && one.host === next.host) < Math.max(1, places - Math.ceil(places / 4))
  );
}
