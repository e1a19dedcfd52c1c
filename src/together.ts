/** Every answer, or the first failure once all have ended: none outlives whoever asked. */
export async function together<T extends readonly unknown[] | []>(calls: T) {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}
