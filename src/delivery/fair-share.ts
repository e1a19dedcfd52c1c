/** Who comes next where not everybody can. Pure. */

/** Of so many turns one belongs to what failed before, however much is new. */
const TURNS = 4;

/**
 * The first `limit` of two lists: what is new goes first, and what failed before gets every fourth turn, so that neither keeps
 * the other out. The turns of a list that is at its end are the other's; what stands in both comes once.
 * @param turn how many turns there were before this choice
 */
export function freshFirst<T>(fresh: readonly T[], again: readonly T[], limit: number, turn = 0): T[] {
  const chosen = new Set<T>();
  const [news, olds] = [fresh.values(), again.values()];
  for (let taken = turn; chosen.size < limit; taken++) {
    const isOlds = taken % TURNS === TURNS - 1;
    const next = (isOlds ? olds.next() : news.next()).value ?? (isOlds ? news.next() : olds.next()).value;
    if (next === undefined) break;
    chosen.add(next);
  }
  return [...chosen];
}

/** Something that a worker does now. */
export interface RunningWork {
  repo: string;
  host: string;
  /** It came to no answer the last time. */
  hasFailed: boolean;
  /** It has taken long already, as what hangs does. */
  isSlow: boolean;
}

/**
 * May this begin beside what runs, or must it leave its place to others? Of the places at most half are for what failed
 * before, half for slow work on one repo, and all but a quarter for slow work of one host: so something that is new finds
 * a place whatever hangs.
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
