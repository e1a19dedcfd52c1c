import { readLinks } from "../../http/links.ts";
import type { AnswerHeaders } from "./failure.ts";

export interface Page {
  items: unknown[];
  /** Null: it is the last one. */
  next: URL | null;
}

/** How a host divides a list into pages. */
export interface Pager {
  /** For the first page: its size. */
  query: Readonly<Record<string, string | number>>;
  /** @throws Error if the answer is no page */
  read(asked: URL, answer: { headers: AnswerHeaders; body: unknown }): Page;
}

/**
 * A page is an array, and a `Link` header with `rel="next"` leads to the next one. Only the query of that address is
 * used: a server that is reached by another name than its public one gives addresses with its public name.
 */
export function linkPager(query: Pager["query"]): Pager {
  return {
    query,
    read(asked, { headers, body }) {
      const next = readLinks(String(headers.link ?? "")).find(({ relations }) => relations.includes("next"));
      return { items: itemsOf(body), next: next === undefined ? null : withQueryOf(next.target, asked) };
    },
  };
}

/** @throws Error if an answer is no list: nothing is concluded from it */
function itemsOf(body: unknown): unknown[] {
  if (!Array.isArray(body)) throw new Error("the answer is no list");
  return body;
}

/**
 * The page that was asked for, with the query of another address.
 * @throws Error if the target is no URL, or leads to the page that was asked for
 */
export function withQueryOf(target: string, asked: URL): URL {
  if (!URL.canParse(target, asked.href)) throw new Error("the address of the next page is no URL");
  const next = new URL(asked);
  next.search = new URL(target, asked).search;
  if (next.href === asked.href) throw new Error("the next page is the same page");
  return next;
}
