import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What takes the place of the names that a document prints. */
export interface Surroundings {
  /** The engine's socket. */
  socket: string;
  /** The image that the Dockerfile makes, built before: its bases on Docker Hub are out of reach. */
  image: string;
  /** A network of this engine, which has no bridge of its own. */
  network: string;
  /** A free port of 127.0.0.1 that takes the place of 8080. */
  port: number;
  registry: string;
  /** Variables that lead deliverd to stand-ins. */
  env: Record<string, string>;
  /** `exec` waits for this file: the test makes it when the container can reach the stand-ins. */
  ready: string;
}

/**
 * Puts a program `docker` into `folder`. It hands every call to the real one, so that the commands of a document run as
 * they are printed, and changes only what leads out of this machine.
 */
export async function writeStandInDocker(folder: string, around: Surroundings): Promise<void> {
  await mkdir(folder, { recursive: true });
  const variables = Object.entries(around.env).map(([name, value]) => `--env=${name}=${value}`);
  const script = `#!/bin/bash
set -eu
call=()
for word in "$@"; do
  case "$word" in
    8080:8080) word=127.0.0.1:${around.port}:8080 ;;
    /var/run/docker.sock:/var/run/docker.sock) word=${around.socket}:/var/run/docker.sock ;;
    DELIVERD_REGISTRY=*) word=DELIVERD_REGISTRY=${around.registry} ;;
  esac
  call+=("$word")
done
docker=(/usr/bin/docker --host=unix://${around.socket})
case "$1" in
  build)
    [ "$*" = "build -t deliverd ." ] && [ -e Dockerfile ] || { echo "not known to the test: $*" >&2; exit 64; }
    exec "\${docker[@]}" tag ${around.image} deliverd ;;
  run) exec "\${docker[@]}" run --network=${around.network} ${variables.join(" ")} "\${call[@]:1}" ;;
  exec)
    until [ -e ${around.ready} ]; do
      # The test has ended without it.
      [ -d ${dirname(around.ready)} ] || exit 1
      sleep 0.1
    done
    exec "\${docker[@]}" "\${call[@]}" ;;
  *) exec "\${docker[@]}" "\${call[@]}" ;;
esac
`;
  const path = join(folder, "docker");
  await writeFile(path, script);
  await chmod(path, 0o755);
}
