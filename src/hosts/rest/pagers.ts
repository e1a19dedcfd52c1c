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

/** A page is an array, and a `Link` header with `rel="next"` leads to the next one. */
export function linkPager(query: Pager["query"]): Pager {
  return {
    query,
    read(asked, { headers, body }) {
      const next = readLinks(String(headers.link ?? "")).find(({ relations }) => relations.includes("next"));
      return { items: itemsOf(body), next: next === undefined ? null : nextUrl(next.target, asked) };
    },
  };
}

/** @throws Error if an answer is no list: nothing is concluded from it */
function itemsOf(body: unknown): unknown[] {
  if (!Array.isArray(body)) throw new Error("the answer is no list");
  return body;
}

/** The address of the next page. @throws Error if it is none, or the page that was asked for */
function nextUrl(target: string, asked: URL): URL {
  if (!URL.canParse(target, asked.href)) throw new Error("the address of the next page is no URL");
  const url = new URL(target, asked);
  // A server behind a TLS proxy may name itself with http.
  if (url.protocol === "http:" && asked.protocol === "https:" && url.host === asked.host) url.protocol = "https:";
  if (url.href === asked.href) throw new Error("the next page is the same page");
  return url;
}
