/** Every answer, or the first failure once all have ended: none outlives whoever asked. */
export async function settleAll<T extends readonly unknown[] | []>(calls: T) {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}
