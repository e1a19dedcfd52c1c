import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** Runs Prometheus' own tool. @returns all that it printed @throws Error with that, if its exit code is not expected */
export async function promtool(args: string[], input = "", expect = [0]): Promise<string> {
  const child = spawn("promtool", args, { stdio: "pipe" });
  const printed = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number];
  const all = (await printed).join("");
  if (!expect.includes(code)) throw new Error(`promtool ${args.join(" ")} ended with ${code}: ${all}`);
  return all;
}

/** What `promtool check metrics` says against a scrape; empty: nothing. Its exit code 3 means that it says something. */
export async function lintMetrics(scrape: string): Promise<string> {
  return promtool(["check", "metrics"], scrape, [0, 3]);
}
