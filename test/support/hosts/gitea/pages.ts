import type { Answer } from "./answer.ts";

/** Gitea gives no more, whatever is asked for. */
export const MAX_ON_PAGE = 50;
const DEFAULT_ON_PAGE = 30;

/**
 * A page of a list. Without `page` Gitea gives every item, and a link to a second page all the same.
 * @param options.links some lists have no `Link` header
 */
export function paged(url: URL, items: readonly unknown[], options: { links: boolean; max?: number }): Answer {
  const asked = Number(url.searchParams.get("limit") ?? DEFAULT_ON_PAGE);
  const size = Math.min(asked, options.max ?? MAX_ON_PAGE);
  const page = Number(url.searchParams.get("page") ?? 0);
  const at = Math.max(1, page);
  const hasNext = items.length > at * size;
  const next = new URL(url);
  next.searchParams.set("page", String(at + 1));
  // By its public name, which may be another one than the client's.
  const link = `<http://gitea.example.com${next.pathname}${next.search}>; rel="next"`;
  return {
    status: 200,
    body: page < 1 ? items : items.slice((page - 1) * size, page * size),
    headers: { "x-total-count": String(items.length), ...(hasNext && options.links ? { link } : {}) },
    ...(page < 1 ? { violation: "a list without the number of a page" } : {}),
    ...(asked > MAX_ON_PAGE ? { violation: `a page of ${asked}, which is cut to ${MAX_ON_PAGE}` } : {}),
  };
}
