import { createHash } from "node:crypto";
import { posix } from "node:path";
import type Dockerode from "dockerode";
import type { DiskItem } from "../../delivery/disk-budget.ts";
import { UserError } from "../../delivery/errors.ts";
import type { BuildCaches, CacheUses, FilesOrder } from "../builder.ts";
import { explainEngineError } from "../engine/errors.ts";

/** The folder of the commit's tree, in which the commands run. */
export const WORKSPACE = "/workspace";
const LABEL = "dev.deliverd.cache";

/**
 * A volume of the engine for each cached directory. Volumes work with a remote engine too. Their names are made of repo
 * and path, so that no other repo can get them.
 * @throws UserError `bad-path`
 */
export function cacheVolumes({ artifact, cacheOf }: FilesOrder): { name: string; path: string; repo: string }[] {
  const paths = new Set(artifact.build.cache.map((path) => targetOf(path, artifact.name)));
  return [...paths].map((path) => {
    const hash = createHash("sha256").update(`${cacheOf}\0${path}`).digest("hex").slice(0, 32);
    return { name: `deliverd-cache-${hash}`, path, repo: cacheOf };
  });
}

function targetOf(path: string, artifact: string): string {
  const target = posix.resolve(WORKSPACE, path);
  // A cache of the whole tree would bring back files of an older build.
  if (`${WORKSPACE}/`.startsWith(`${target.replace(/\/$/, "")}/`) || /^\/(?:proc|sys|dev)(?:\/|$)/.test(target)) {
    throw new UserError(
      "bad-path",
      `artifacts.${artifact}.build.cache: ${path} cannot be kept. Name a folder below it.`,
    );
  }
  return target;
}

export async function makeCaches(
  docker: Dockerode,
  volumes: ReturnType<typeof cacheVolumes>,
  uses: CacheUses,
): Promise<void> {
  for (const { name, path, repo } of volumes) {
    await docker.createVolume({ Name: name, Labels: { [LABEL]: repo, [`${LABEL}.path`]: path } });
    uses.set(name, Date.now());
  }
}

/** All caches in this engine, for housekeeping. */
export function cachesIn(docker: Dockerode, uses: CacheUses): BuildCaches {
  return {
    async list() {
      const { Volumes: found } = await docker.listVolumes({ filters: { label: [LABEL] } });
      // The engine walks through all volumes to measure them, so it is only asked if there are any.
      const sizes = (found ?? []).length === 0 ? new Map<string, number>() : await measure(docker);
      return (found ?? []).map((volume): DiskItem => {
        const made = Date.parse((volume as { CreatedAt?: string }).CreatedAt ?? "") || 0;
        return { name: volume.Name, bytes: sizes.get(volume.Name) ?? 0, usedAt: uses.get(volume.Name) ?? made };
      });
    },
    async remove(name) {
      try {
        await docker.getVolume(name).remove();
        return true;
      } catch (error) {
        // 409: a build is using it.
        if ([404, 409].includes((error as { statusCode?: number }).statusCode ?? 0)) return false;
        throw explainEngineError(error);
      }
    },
  };
}

async function measure(docker: Dockerode): Promise<Map<string, number>> {
  const usage: { Volumes?: { Name: string; UsageData?: { Size: number } }[] } = await docker.df();
  // -1: the engine does not know.
  return new Map((usage.Volumes ?? []).map(({ Name, UsageData }) => [Name, Math.max(0, UsageData?.Size ?? 0)]));
}
