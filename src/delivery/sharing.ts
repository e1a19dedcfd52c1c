/** Who comes next where not everybody can. Pure. */

/** Of so many turns one belongs to what failed before, however much is new. */
const TURNS = 4;

/**
 * The first `limit` of two lists: what is new goes first, and what failed before gets every fourth turn, so that neither keeps
 * the other out. The turns of a list that is empty are the other's.
 * @param turn how many turns there were before this choice
 */
export function freshFirst<T>(fresh: readonly T[], again: readonly T[], limit: number, turn = 0): T[] {
  const chosen: T[] = [];
  let [news, olds] = [0, 0];
  while (chosen.length < limit && news + olds < fresh.length + again.length) {
    const isOlds = (turn + chosen.length) % TURNS === TURNS - 1;
    const takesOld = olds < again.length && (isOlds || news >= fresh.length);
    const next = takesOld ? again[olds++] : fresh[news++];
    if (next !== undefined) chosen.push(next);
  }
  return chosen;
}

/** One of each key in turn, in the order of each: a key with many keeps no other from its place. */
export function inTurns<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const places = new Map<string, number>();
  const placed = items.map((item, index) => {
    const place = places.get(keyOf(item)) ?? 0;
    places.set(keyOf(item), place + 1);
    return { item, index, place };
  });
  return placed.sort((a, b) => a.place - b.place || a.index - b.index).map(({ item }) => item);
}
