import type Dockerode from "dockerode";

/** As `temporaryName` makes it: the intake's address, the build's own id, and always the same tag. */
const TEMPORARY = /^[^/]+\/([a-z0-9-]+):build$/;

/**
 * Removes the temporary names that builds left in the engine when their process died before it had frozen them.
 * @param isDead asked with a build's id: does nobody work on it any more? Of builds that are not ours it must say no.
 * @returns the names that went
 */
export async function removeLeftovers(
  docker: Dockerode,
  isDead: (build: string) => Promise<boolean>,
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of (await docker.listImages()).flatMap((image) => image.RepoTags ?? [])) {
    const build = TEMPORARY.exec(name)?.[1];
    if (build === undefined || !(await isDead(build))) continue;
    await docker.getImage(name).remove({ noprune: true });
    removed.push(name);
  }
  return removed;
}
