/** Waits for all calls to settle, then returns their values or throws the first failure. */
export async function settleAll<T extends readonly unknown[] | []>(calls: T) {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}
