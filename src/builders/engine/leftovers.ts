import type Dockerode from "dockerode";

/** As `temporaryName` makes it: the intake's address, the build's own id, and always the same tag. */
const TEMPORARY = /^[^/]+\/([a-z0-9-]+):build$/;

/** Bears the build's id. */
export const BUILD_LABEL = "dev.deliverd.build";

/** Of the container in which a build's commands run. */
export function containerName(build: string): string {
  return `deliverd-${build}`;
}

/**
 * Removes what builds left in the engine when their process died: temporary names of images, containers with all that is in them.
 * @param isDead asked with a build's id: does nobody work on it any more? Of builds that are not ours it must say no.
 * @returns the names that went
 */
export async function removeBuildLeftovers(
  docker: Dockerode,
  isDead: (build: string) => Promise<boolean>,
): Promise<string[]> {
  const removed: string[] = [];
  for (const { Id, Names, Labels } of await docker.listContainers({ all: true, filters: { label: [BUILD_LABEL] } })) {
    const build = Labels[BUILD_LABEL] ?? "";
    // An image that the label came with is not enough.
    if (!Names.includes(`/${containerName(build)}`) || !(await isDead(build))) continue;
    await unlessGone(docker.getContainer(Id).remove({ force: true, v: true }));
    removed.push(containerName(build));
  }
  for (const name of (await docker.listImages()).flatMap((image) => image.RepoTags ?? [])) {
    const build = TEMPORARY.exec(name)?.[1];
    if (build === undefined || !(await isDead(build))) continue;
    await unlessGone(docker.getImage(name).remove({ noprune: true }));
    removed.push(name);
  }
  return removed;
}

/** 409: somebody else is just removing it. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (![404, 409].includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
  }
}
