import type Dockerode from "dockerode";

/** A name from `temporaryName`: the intake's address, the build's id, and always the same tag. */
const TEMPORARY_NAME = /^[^/]+\/([a-z0-9-]+):build$/;

/** Label of a build's container. Its value is the build's id. */
export const BUILD_LABEL = "dev.deliverd.build";

/** The name of the container in which a build's commands run. */
export function containerName(build: string): string {
  return `deliverd-${build}`;
}

/**
 * Removes what builds left in the engine when their process died: temporary image names, and containers with their
 * volumes.
 * @param isDead whether nobody works on the build with this id any more. It must say no for builds that are not ours.
 * @returns the names that were removed
 */
export async function removeBuildLeftovers(
  docker: Dockerode,
  isDead: (build: string) => Promise<boolean>,
): Promise<string[]> {
  const removed: string[] = [];
  for (const { Id, Names, Labels } of await docker.listContainers({ all: true, filters: { label: [BUILD_LABEL] } })) {
    const build = Labels[BUILD_LABEL] ?? "";
    // The label alone is not enough: it may come from an image.
    if (!Names.includes(`/${containerName(build)}`) || !(await isDead(build))) continue;
    await unlessGone(docker.getContainer(Id).remove({ force: true, v: true }));
    removed.push(containerName(build));
  }
  for (const name of (await docker.listImages()).flatMap((image) => image.RepoTags ?? [])) {
    const build = TEMPORARY_NAME.exec(name)?.[1];
    if (build === undefined || !(await isDead(build))) continue;
    await unlessGone(docker.getImage(name).remove({ noprune: true }));
    removed.push(name);
  }
  return removed;
}

/** Ignores 404, and 409: somebody else is removing it. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (![404, 409].includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
  }
}
