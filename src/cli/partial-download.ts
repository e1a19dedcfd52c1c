import { lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** In the output folder, so that a finished file only needs a rename. */
const FOLDER = ".deliverd-pull";

/**
 * The part of a release that was downloaded so far. Its file name contains the artifact, the digest and the process id.
 */
export interface PartialDownload {
  /** The content as the server sends it. Missing if no byte has arrived. */
  file: string;
  /** A folder for files extracted from the content. The caller creates it. */
  stage: string;
  /** Bytes that an earlier download left. */
  size: number;
  createFolder(): Promise<void>;
  /** Removes the stage, and the content too unless `keep`. */
  cleanUp(keep: boolean): Promise<void>;
}

/**
 * Opens this process's partial download. It takes over what a dead process left of the same content, and removes what
 * dead processes left of other contents of the artifact. Downloads of running processes are not touched.
 */
export async function openPartialDownload(output: string, artifact: string, digest: string): Promise<PartialDownload> {
  const hex = digest.slice("sha256:".length);
  const folder = join(output, FOLDER);
  const key = encodeURIComponent(artifact);
  const file = join(folder, `${key}.${hex}.${process.pid}`);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, its, pid = "", stage] = /^(.+)\.([0-9a-f]{64})\.(\d+)(\.d)?$/.exec(name) ?? [];
    if (of !== key || isOtherProcess(Number(pid))) continue;
    const there = await sizeOf(file);
    const found = await sizeOf(join(folder, name));
    if (its === hex && stage === undefined && found > there) await rename(join(folder, name), file);
    else if (join(folder, name) !== file || found === 0) await rm(join(folder, name), { recursive: true, force: true });
  }
  const stage = `${file}.d`;
  return {
    file,
    stage,
    size: await sizeOf(file),
    createFolder: async () => void (await mkdir(folder, { recursive: true })),
    async cleanUp(keep) {
      await rm(stage, { recursive: true, force: true });
      if (!keep) await rm(file, { force: true });
      await rmdir(folder).catch(() => {});
    },
  };
}

/**
 * Whether another process with this id runs. Our own id may be that of a dead process: in a container it is often the
 * same.
 */
function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function sizeOf(file: string): Promise<number> {
  const there = await lstat(file).catch(() => null);
  return there?.isFile() ? there.size : 0;
}
