/** One page of a list, newest first; `next` is handed back as the cursor of the following page, null at the end. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Where a page ended: lists are sorted by time, then id. */
export interface PagePosition {
  at: number;
  id: string;
}

/** Null for a cursor that is none of ours: the list then starts at its beginning. */
export function readCursor(cursor: string | null | undefined): PagePosition | null {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]+)$/.exec(cursor ?? "");
  return match?.[1] && match[2] ? { at: Number(match[1]), id: match[2] } : null;
}

/** What readCursor reads. */
export function writeCursor({ at, id }: PagePosition): string {
  return `${at}.${id}`;
}

/** Makes a page of rows of which one more than `limit` was asked for. */
export function pageOf<Row, T>(
  rows: Row[],
  limit: number,
  position: (row: Row) => PagePosition,
  item: (row: Row) => T,
) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const end = rows.length > limit && last !== undefined ? position(last) : null;
  const page: Page<T> = { items: shown.map(item), next: end && writeCursor(end) };
  return page;
}
