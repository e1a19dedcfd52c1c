// Removes from node_modules what the built `dist/` does not load: most packages are in the bundle. For the container
// image only; a checkout keeps all of them.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EXTERNAL } from "./external.mjs";

/** For editors and bundlers: Node loads none of these. */
const UNLOADED = ["dist-es", "dist-types"];

/** The paths of `packages` in package-lock.json that the bundle loads when it runs, with all that those load. */
export function loadedPackages(packages, external = EXTERNAL) {
  const loaded = new Set();
  const open = Object.keys(packages).filter((path) => external.some((pattern) => matches(path, pattern)));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (loaded.has(path)) continue;
    loaded.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = lookUp(packages, path, name);
      if (found !== null) open.push(found);
    }
  }
  return loaded;
}

/** `@aws-sdk/*` is every package of that scope. */
function matches(path, pattern) {
  const prefix = pattern.endsWith("*") ? pattern.slice(0, -1) : null;
  const name = path.startsWith("node_modules/") ? path.slice("node_modules/".length) : "";
  return prefix === null ? name === pattern : name.startsWith(prefix) && !name.includes("/node_modules/");
}

/** As Node does it: in the package's own folder, then in each above it. */
function lookUp(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in packages) return path;
    if (folder === "") return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const loaded = loadedPackages(packages);
  const paths = Object.keys(packages).filter((path) => path !== "");
  const isNeeded = (path) => loaded.has(path) || [...loaded].some((one) => one.startsWith(`${path}/`));
  for (const path of paths) {
    if (!isNeeded(path)) rmSync(join(root, path), { recursive: true, force: true });
    else for (const folder of UNLOADED) rmSync(join(root, path, folder), { recursive: true, force: true });
  }
  console.log(`${loaded.size} of ${paths.length} packages are loaded by dist/`);
}
