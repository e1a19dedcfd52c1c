import { type ClientOptions, requestJson } from "./client.ts";
import { type ClientFlags, hint, note, print } from "./client-command.ts";
import type { Column } from "./table.ts";
import { screenOf } from "./terminal.ts";

/** The largest page that the API allows. */
const MAX_PAGE_ITEMS = 200;

export interface Page<T> {
  items: T[];
  next: string | null;
}

type Query = Record<string, string | undefined>;

/** The newest `limit` items of a list. `next` is the cursor of older ones; null if there are none. */
export async function listAll<T>(options: ClientOptions, path: string, query: Query, limit: number): Promise<Page<T>> {
  const all: Page<T> = { items: [], next: null };
  do {
    const left = Math.min(MAX_PAGE_ITEMS, limit - all.items.length);
    const page = await list<T>(options, path, { ...query, limit: String(left), cursor: all.next ?? undefined });
    all.items.push(...page.items);
    all.next = page.next;
  } while (all.next !== null && all.items.length < limit);
  return all;
}

/** One page of a list of the API. */
function list<T>(options: ClientOptions, path: string, query: Query): Promise<Page<T>> {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return requestJson<Page<T>>(options, `${path}?${new URLSearchParams(given)}`);
}

/** Prints a list as a table, or as JSON. An empty list is no error, but a person is told. */
export async function printList<T>(flags: ClientFlags, page: Page<T>, columns: Column<T>[], things: string) {
  if (page.items.length === 0 && !flags.json) {
    note(`There are no such ${things}.`);
    return;
  }
  await print(flags, page, async () => {
    const { formatTable } = await import("./table.ts");
    return formatTable(screenOf(), columns, page.items);
  });
  if (page.next !== null && !flags.json) hint(`There are more ${things}: --limit lists them.`);
}
