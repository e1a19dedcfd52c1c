/** What may be thrown away to keep within a budget. Pure. */

export interface DiskItem {
  name: string;
  bytes: number;
  /** ms since the epoch: when it was last of use. */
  usedAt: number;
}

/**
 * The pieces to remove so that all the others come to no more than `max` bytes: oldest first, and none that is needed or
 * was of use after `young`. Empty where they fit already; where they cannot be made to fit, all that may go.
 */
export function chooseRemovals(
  pieces: DiskItem[],
  max: number,
  isNeeded: (name: string) => boolean,
  young: number,
): DiskItem[] {
  let excess = pieces.reduce((sum, piece) => sum + piece.bytes, 0) - max;
  const removed: DiskItem[] = [];
  for (const piece of pieces.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (excess <= 0) break;
    if (piece.usedAt > young || isNeeded(piece.name)) continue;
    removed.push(piece);
    excess -= piece.bytes;
  }
  return removed;
}

const GIB = 2 ** 30;

/** Is so little of a disk left that new work would fill it? Under a gibibyte, or a tenth of a disk smaller than ten. */
export function isNearlyFull(disk: { free: number; total: number }): boolean {
  return disk.free < Math.min(GIB, disk.total / 10);
}
