/** It has a code, as expected errors have: the log shows no stack. */
class TimedOut extends Error {
  readonly code = "ETIMEDOUT";
}

/**
 * Rejects if the promise has not settled after `ms`.
 * @throws TimedOut `<what> within <ms> ms`, or what the promise rejects with
 */
export async function withTimeout<T>(ms: number, promise: Promise<T>, what = "no answer"): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
