import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What the official image of this tag is made of. */
const suite = "bookworm";
const packages = [`node-linux-${process.arch}@24.21.0`, "npm@11.21.2"];

/** The CA bundle of this machine, which may have to vouch for its own registry. */
const machineCa = "/etc/ssl/certs/ca-certificates.crt";
const containerCa = "/etc/ssl/certs/stand-in.crt";

/**
 * Makes what `node:24-bookworm-slim` holds, from Debian's packages and npm's, and imports it under that tag into the
 * engine at `socket`: the very Dockerfile can then be built where no Docker Hub is. Kept under ~/.cache between runs.
 */
export async function importStandInBase(socket: string, tag: string): Promise<void> {
  const archive = await standInArchive();
  const { stdout } = await run("npm", ["config", "get", "registry"]);
  const settings = [
    `ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    `ENV NODE_EXTRA_CA_CERTS=${containerCa}`,
    `ENV npm_config_registry=${stdout.trim()}`,
    `ENV npm_config_update_notifier=false`,
    `CMD ["node"]`,
  ];
  await run("/usr/bin/docker", [
    ...["-H", `unix://${socket}`, "import"],
    ...settings.flatMap((setting) => ["--change", setting]),
    archive,
    tag,
  ]);
}

async function standInArchive(): Promise<string> {
  const mirror = await debianMirror();
  const ca = existsSync(machineCa) ? await readFile(machineCa) : "";
  const recipe = [suite, mirror, ...packages].join("\n");
  const name = createHash("sha256").update(recipe).update(ca).digest("hex").slice(0, 16);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "deliverd-test");
  const archive = join(cache, `node-${name}.tar`);
  if (existsSync(archive)) return archive;

  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "making-"));
  try {
    const root = join(work, "root");
    await run("debootstrap", ["--variant=minbase", suite, root, mirror], { maxBuffer: 2 ** 26 });
    await addNode(root, work);
    if (ca !== "") {
      await mkdir(join(root, "etc/ssl/certs"), { recursive: true });
      await copyFile(machineCa, join(root, containerCa));
    }
    await rm(join(root, "var/cache/apt/archives"), { recursive: true });
    await run("tar", ["--create", "--file", join(work, "root.tar"), "--directory", root, "."]);
    for (const old of await readdir(cache)) if (old.startsWith("node-")) await rm(join(cache, old));
    await rename(join(work, "root.tar"), archive);
    return archive;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** As the official image has it: node and npm under /usr/local. */
async function addNode(root: string, work: string): Promise<void> {
  await run("npm", [
    "install",
    "--prefix",
    work,
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    ...packages,
  ]);
  const local = join(root, "usr/local");
  await copyFile(join(work, `node_modules/node-linux-${process.arch}/bin/node`), join(local, "bin/node"));
  await cp(join(work, "node_modules/npm"), join(local, "lib/node_modules/npm"), { recursive: true });
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));
  await symlink("../lib/node_modules/npm/bin/npx-cli.js", join(local, "bin/npx"));
}

/** Where this machine's apt gets Debian from, in either format of its lists. */
export async function debianMirror(): Promise<string> {
  const folder = "/etc/apt/sources.list.d";
  const lists = ["/etc/apt/sources.list", ...(await readdir(folder)).map((file) => join(folder, file))];
  for (const list of lists.filter((path) => existsSync(path))) {
    const text = await readFile(list, "utf8");
    const mirror = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(text)?.[1];
    if (mirror !== undefined) return mirror;
  }
  throw new Error(`no mirror of Debian in ${lists.join(", ")}`);
}
