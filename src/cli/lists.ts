import { InvalidArgumentError } from "commander";
import { type ClientOptions, requestJson } from "./client.ts";

/** The largest page that the API allows. */
const MAX_PAGE_ITEMS = 200;

export interface Page<T> {
  items: T[];
  next: string | null;
}

type Query = Record<string, string | undefined>;

/** One page of a list of the API. */
export function list<T>(options: ClientOptions, path: string, query: Query): Promise<Page<T>> {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return requestJson<Page<T>>(options, `${path}?${new URLSearchParams(given)}`);
}

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

/** The value of `--limit`. */
export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
