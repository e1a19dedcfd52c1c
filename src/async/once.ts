/** Returns a function that calls `work` at most once, and gives everybody its result. */
export function once<T>(work: () => T): () => T {
  let result: { value: T } | null = null;
  return () => {
    result ??= { value: work() };
    return result.value;
  };
}
