import { setImmediate as nextTurn } from "node:timers/promises";
import type { Page } from "../ledger/page.ts";

/** Characters: a page ends with the item that reaches them, however many may still be asked for. */
const PAGE_MAX = 500_000;

/** One after the other, and webhooks have their turn in between: together, their questions would keep the ledger from them. */
export async function mapSequentially<T, R>(items: T[], view: (item: T) => Promise<R>): Promise<R[]> {
  const views: R[] = [];
  for (const item of items) {
    await nextTurn();
    views.push(await view(item));
  }
  return views;
}

/** A page of a list as JSON; its views are made one after the other, as above. */
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
    if (size < PAGE_MAX || index === page.items.length - 1) continue;
    next = cursorAfter(row);
    break;
  }
  return `{"items":[${texts.join(",")}],"next":${JSON.stringify(next)}}`;
}
