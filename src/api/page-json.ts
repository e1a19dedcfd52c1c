import { setImmediate as nextTurn } from "node:timers/promises";
import type { Page } from "../ledger/page.ts";

/** A page ends with the item that reaches this size, even if the client asked for more items. */
const MAX_PAGE_CHARS = 500_000;

/** Maps one item after the other, and lets the event loop serve webhooks in between. */
export async function mapSequentially<T, R>(items: T[], view: (item: T) => Promise<R>): Promise<R[]> {
  const views: R[] = [];
  for (const item of items) {
    await nextTurn();
    views.push(await view(item));
  }
  return views;
}

/** The JSON text of a page. Views are made one after the other, as in mapSequentially. */
export async function pageJson<Row>(
  page: Page<Row>,
  view: (row: Row) => Promise<object>,
  cursorAfter: (row: Row) => string,
): Promise<string> {
  const texts: string[] = [];
  let { next } = page;
  let size = 0;
  for (const [index, row] of page.items.entries()) {
    await nextTurn();
    const text = JSON.stringify(await view(row));
    texts.push(text);
    size += text.length;
    if (size < MAX_PAGE_CHARS || index === page.items.length - 1) continue;
    next = cursorAfter(row);
    break;
  }
  return `{"items":[${texts.join(",")}],"next":${JSON.stringify(next)}}`;
}
