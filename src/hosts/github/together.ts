/** Every answer, or the first failure once all calls have ended: none outlives its question and spends of the next one's budget. */
export async function together<const T extends readonly (Promise<unknown> | null)[]>(calls: T) {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}
