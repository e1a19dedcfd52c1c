/** By how many MB this process grew at its peak, looked at every 20 ms. */
export async function memoryOf(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return (peak - before) / 1_000_000;
}
