/** One page of a list, newest first. `next` is the cursor of the following page; null on the last page. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** The position of a page's last item: lists are sorted by time, then by id. */
export interface PagePosition {
  at: number;
  id: string;
}

/** The position in a cursor; null if the cursor is invalid: the list then starts at its beginning. */
export function readCursor(cursor: string | null | undefined): PagePosition | null {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]+)$/.exec(cursor ?? "");
  return match?.[1] && match[2] ? { at: Number(match[1]), id: match[2] } : null;
}

/** Whether a text has the form of a cursor. */
export function isCursor(text: string): boolean {
  return readCursor(text) !== null;
}

/** The cursor for a position. */
export function writeCursor({ at, id }: PagePosition): string {
  return `${at}.${id}`;
}

/** Makes a page of query results. The query must ask for `limit + 1` rows. */
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
