import { linkPager, type Pager } from "../rest/pagers.ts";

/**
 * Pages of Gitea's lists. Some have a `Link` header, all have the number of all items in `X-Total-Count`. The server may
 * allow fewer items on a page than we ask for, so a short page does not have to be the last one. Without the number of
 * the page Gitea gives every item, with the address of a second page that repeats some of them.
 * @param size the most items that we ask for on a page
 */
export function giteaPager(size: number): Pager {
  const byLink = linkPager({ page: 1, limit: size });
  return {
    query: byLink.query,
    read(asked, answer) {
      if (answer.headers.link !== undefined) return byLink.read(asked, answer);
      const { items } = byLink.read(asked, answer);
      return {
        items,
        next: items.length === 0 ? null : nextByCount(asked, items.length, answer.headers["x-total-count"]),
      };
    },
  };
}

function nextByCount(asked: URL, length: number, count: string | number | undefined): URL | null {
  const page = Number(asked.searchParams.get("page"));
  // The first page shows how many the server really gives.
  const size = page === 1 ? length : Number(asked.searchParams.get("limit"));
  const total = Number(count ?? Number.NaN);
  // Without the header only an empty page is surely behind the last one.
  if (Number.isFinite(total) && (page - 1) * size + length >= total) return null;
  const next = new URL(asked);
  next.searchParams.set("page", String(page + 1));
  next.searchParams.set("limit", String(size));
  return next;
}
