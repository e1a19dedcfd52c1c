/** Something on disk that may be removed. */
export interface DiskItem {
  name: string;
  bytes: number;
  /** When it was last used, in ms since the epoch. */
  usedAt: number;
}

/**
 * The items to remove so that the others take at most `max` bytes, the oldest first. If that cannot be reached, all
 * that may be removed.
 * @param young ms since the epoch: what was used later is kept
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

const GIBIBYTE = 2 ** 30;

/** Whether new work would fill the disk: less than 1 GiB is free, or less than a tenth of a disk under 10 GiB. */
export function isNearlyFull(disk: { free: number; total: number }): boolean {
  return disk.free < Math.min(GIBIBYTE, disk.total / 10);
}
