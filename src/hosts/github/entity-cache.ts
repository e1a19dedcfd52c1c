interface Entity<T> {
  etag: string;
  response(): T;
}

const MAX_ENTITIES = 300;
const MAX_LENGTH = 200_000;

/**
 * Keeps responses by URL for conditional requests: a 304 does not count against GitHub's rate limit.
 * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
 * It drops the oldest first and keeps no large ones.
 */
export function entityCache<T>() {
  const entities = new Map<string, Entity<T>>();
  return {
    find: (url: URL): Entity<T> | undefined => entities.get(url.href),
    keep(url: URL, { etag, length, response }: { etag: string | null; length: number; response(): T }): void {
      entities.delete(url.href);
      if (etag === null || length > MAX_LENGTH) return;
      entities.set(url.href, { etag, response });
      const [oldest] = entities.keys();
      if (entities.size > MAX_ENTITIES && oldest !== undefined) entities.delete(oldest);
    },
  };
}
