import { readdir, readFile } from "node:fs/promises";

/** Every process's command line, its arguments joined by NUL, by pid. */
export async function commandLines(): Promise<Map<number, string>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return new Map(pids.map((pid, index) => [pid, lines[index] ?? ""]));
}

/** Processes that were called with exactly these words. */
export async function pidsOf(...words: string[]): Promise<number[]> {
  const wanted = `${words.join("\0")}\0`;
  return [...(await commandLines())].filter(([, line]) => line === wanted).map(([pid]) => pid);
}
