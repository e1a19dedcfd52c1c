import { readdirSync, readFileSync } from "node:fs";
import type { Metrics } from "./metrics.ts";

/**
 * The metrics that Prometheus' client libraries give about their process, under the same names. What Linux tells in
 * /proc has no sample elsewhere.
 */
export function addProcessMetrics(metrics: Metrics): void {
  const startedAt = Date.now() / 1000 - process.uptime();
  metrics.counter("process_cpu_seconds_total", "CPU seconds, user and system.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge("process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss());
  metrics.gauge("process_heap_bytes", "The heap of JavaScript, used and free.", () => process.memoryUsage().heapTotal);
  metrics.gauge("process_open_fds", "Open files and sockets.", () => readdirSync("/proc/self/fd").length);
  metrics.gauge("process_max_fds", "Files and sockets that may be open.", maxOpenFiles);
  metrics.gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.", () => startedAt);
}

/** The soft limit in a line of proc(5): `Max open files            1024                 524288               files`. */
function maxOpenFiles(): number | null {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === undefined ? null : Number(soft);
}
