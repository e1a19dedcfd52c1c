import type { Page } from "../ledger/sql.ts";

/** Characters: a page ends with the item that reaches them, however many may still be asked for. */
const PAGE_MAX = 500_000;

/**
 * A page of a list as JSON. The views are made one after the other: together, their questions would keep the ledger from
 * everybody else.
 */
export async function pageText<Row>(
  page: Page<Row>,
  view: (row: Row) => Promise<object>,
  cursorAfter: (row: Row) => string,
): Promise<string> {
  const texts: string[] = [];
  let { next } = page;
  let size = 0;
  for (const [index, row] of page.items.entries()) {
    const text = JSON.stringify(await view(row));
    texts.push(text);
    size += text.length;
    if (size < PAGE_MAX || index === page.items.length - 1) continue;
    next = cursorAfter(row);
    break;
  }
  return `{"items":[${texts.join(",")}],"next":${JSON.stringify(next)}}`;
}
