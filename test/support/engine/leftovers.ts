import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { until } from "../processes/process.ts";

/** An engine that was killed leaves its containerd or containers: each is ended by pid, known by the engine's directory. */
export async function endLeftovers(root: string): Promise<void> {
  await until(`no process is left of the engine in ${root}`, async () => {
    const left = await processesOf(root);
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself meanwhile.
      }
    }
    return left.length === 0;
  });
}

async function processesOf(root: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const belongs = async (pid: string) => {
    const [command, mounts] = await Promise.all(
      ["cmdline", "mountinfo"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
    );
    // A container's own root file system lies in the engine's directory.
    const ownRoot = (mounts ?? "").split("\n").find((line) => line.split(" ")[4] === "/") ?? "";
    return (command ?? "").includes(`${root}/`) || ownRoot.includes(`${root}/`);
  };
  const hits = await Promise.all(pids.map(belongs));
  return pids.filter((_, index) => hits[index]).map(Number);
}

export async function unmountBelow(root: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${root}/`));
  // The innermost first.
  for (const path of mounts.sort((a, b) => b.length - a.length)) await promisify(execFile)("umount", ["--lazy", path]);
}
