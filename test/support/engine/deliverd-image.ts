import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { importStandInBase } from "./base-image.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const base = "stand-in/deliverd-base";
const image = "stand-in/deliverd";

/**
 * The image that the Dockerfile makes of this work tree. It is built once for each engine, which keeps it to its end: a
 * build takes minutes.
 * @returns its name
 */
export async function deliverdImage(socket: string): Promise<string> {
  const isThere = await docker(socket, "image", "inspect", image).then(
    () => true,
    () => false,
  );
  if (isThere) return image;
  await importStandInBase(socket, base);
  const bases = [`--build-arg=NODE_IMAGE=${base}`, `--build-arg=BASE_IMAGE=${base}`];
  await docker(socket, "build", "--network=host", ...bases, `--tag=${image}`, root);
  return image;
}

async function docker(socket: string, ...args: string[]): Promise<void> {
  await promisify(execFile)("/usr/bin/docker", [`--host=unix://${socket}`, ...args], { maxBuffer: 2 ** 26 });
}
