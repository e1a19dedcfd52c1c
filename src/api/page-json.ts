import { setImmediate as nextTurn } from "node:timers/promises";
import type { Page } from "../ledger/page.ts";

/** A page ends with the item that reaches this size, even if the client asked for more items. */
const MAX_PAGE_CHARS = 500_000;

/** The JSON text of a page. Views are made one after the other, and the event loop serves webhooks in between. */
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
