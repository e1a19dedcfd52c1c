import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { debianMirror } from "./base-image.ts";

const run = promisify(execFile);
const PACKAGES = ["docker.io", "docker-cli", "podman", "runc", "ca-certificates"];

/** The root of a Debian 13 with its engines, in which programs can be started by chroot. It is kept under ~/.cache. */
export async function debianRoot(suite: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "deliverd-test");
  const root = join(cache, `engines-${suite}`);
  if (existsSync(root)) return root;
  await mkdir(cache, { recursive: true });
  const making = `${root}.making`;
  await rm(making, { recursive: true, force: true });
  const include = `--include=${PACKAGES.join(",")}`;
  await run("debootstrap", ["--variant=minbase", include, suite, making, await debianMirror()], { maxBuffer: 2 ** 26 });
  await rename(making, root);
  return root;
}

/**
 * Mounts what engines need, in the mount namespace of the caller, which should be one of its own. The root must be a mount of its own: runc cannot
 * change the propagation of a folder.
 */
export async function mountRoot(root: string): Promise<void> {
  const steps = [
    ["--bind", root, root],
    ["--make-private", root],
    ["-t", "proc", "proc", join(root, "proc")],
    ...["sys", "dev"].flatMap((name) => [
      ["--rbind", `/${name}`, join(root, name)],
      ["--make-rslave", join(root, name)],
    ]),
    ["-t", "tmpfs", "tmpfs", join(root, "run")],
    ["-t", "tmpfs", "tmpfs", join(root, "tmp")],
  ];
  for (const step of steps) await run("mount", step);
  await writeFile(
    join(root, "etc/containers/registries.conf"),
    '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n',
  );
  await writeFile(
    join(root, "etc/containers/containers.conf"),
    // crun does not run where both versions of cgroups are mounted.
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\n',
  );
}
