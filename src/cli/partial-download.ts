import { lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** Beside what is pulled, so that a rename is all that is left to do. */
const FOLDER = ".deliverd-pull";

/** What has come of a release so far. Its name tells artifact, digest and process, so that nothing else need be kept with it. */
export interface PartialDownload {
  /** The content as the server sends it; not there, as long as nothing came. */
  file: string;
  /** For what is taken out of the content. Not there until somebody makes it. */
  stage: string;
  /** Bytes that came before. */
  size: number;
  createFolder(): Promise<void>;
  /** Removes the stage, and the content as well unless it is to be gone on with. */
  cleanUp(keep: boolean): Promise<void>;
}

/**
 * The partial of this process: what an earlier one left of the same content is taken over, what one left of another
 * content of this artifact is removed. What a living process works at is left to it.
 */
export async function openPartialDownload(output: string, artifact: string, digest: string): Promise<PartialDownload> {
  const hex = digest.slice("sha256:".length);
  const folder = join(output, FOLDER);
  const key = encodeURIComponent(artifact);
  const file = join(folder, `${key}.${hex}.${process.pid}`);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, its, pid = "", stage] = /^(.+)\.([0-9a-f]{64})\.(\d+)(\.d)?$/.exec(name) ?? [];
    if (of !== key || isAnother(Number(pid))) continue;
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

/** A process number comes round again, and the one in a container is always the same: our own is no other's. */
function isAnother(pid: number): boolean {
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
