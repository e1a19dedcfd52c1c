import { readFile } from "node:fs/promises";

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

/** What a process had in memory at its peak, in MB: the kernel's own high-water mark misses nothing between two looks. */
export async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}
