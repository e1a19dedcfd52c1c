import type Dockerode from "dockerode";

/**
 * The newest version of Docker's API that this code was written for. Newer ones leave out fields of answers that are
 * empty, and drop what they deprecated.
 */
const NEWEST = "1.47";

/**
 * Asks the engine for its versions, and makes all further requests speak the newest one that both sides know. Without
 * that, the engine takes its own newest one.
 */
export async function pinApiVersion(docker: Dockerode): Promise<Dockerode.DockerVersion> {
  const answer = await unversioned(docker).version();
  // Its types do not tell that it has one.
  Object.assign(docker.modem, { version: `v${versionFor(answer)}` });
  return answer;
}

/** @returns as in `1.41` */
export function versionFor({
  ApiVersion,
  MinAPIVersion,
}: Pick<Dockerode.DockerVersion, "ApiVersion" | "MinAPIVersion">) {
  const version = compareVersions(ApiVersion, NEWEST) < 0 ? ApiVersion : NEWEST;
  // An engine that no longer knows this version gets the oldest one that it knows.
  return MinAPIVersion && compareVersions(version, MinAPIVersion) < 0 ? MinAPIVersion : version;
}

export function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** The same client, with requests that name no version: another engine may have taken the place of the last one. */
function unversioned(docker: Dockerode): Dockerode {
  const modem = Object.create(docker.modem, { version: { value: undefined } });
  return Object.create(docker, { modem: { value: modem } });
}
