// Names in package-lock.json the packages for other platforms that the registry at hand does not hold: npm leaves them
// out there without a word, and `npm ci` then refuses the whole lock, here and everywhere.
// Run it after `npm install`; the house tests tell when it is due.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What we read and write of an entry of `packages`, by its path. */
export interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  cpu?: string[];
  dev?: boolean;
  libc?: string[];
  optional?: boolean;
  os?: string[];
  optionalDependencies?: Record<string, string>;
}

const platforms = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** Optional packages that a package of the lock asks for and the lock lacks: the entry each of them needs. */
export function missingEntries(packages: Record<string, Locked>): Record<string, Locked> {
  const missing: Record<string, Locked> = {};
  for (const [path, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(packages, path, name)) continue;
      missing[`node_modules/${name}`] = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
    }
  }
  return missing;
}

/** As Node looks it up: in the package's own folder, then in each above it. */
function isLocked(packages: Record<string, Locked>, path: string, name: string): boolean {
  for (let folder = path; folder !== ""; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (`${folder}/node_modules/${name}` in packages) return true;
  }
  return `node_modules/${name}` in packages;
}

/** What such a package says of itself stands in its name, too: `@biomejs/cli-linux-x64-musl`. */
function platformOf(name: string): Locked {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-");
  const os = platforms.filter((platform) => words.includes(platform));
  const cpu = processors.filter((processor) => words.includes(processor));
  if (os.length === 0 && cpu.length === 0) throw new Error(`${name} is not locked, and its name tells no platform`);
  const libc = words.some((word) => word.startsWith("musl")) ? { libc: ["musl"] } : {};
  return { ...(cpu.length > 0 && { cpu }), ...libc, ...(os.length > 0 && { os }) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL("../package-lock.json", import.meta.url);
  const lock: { packages: Record<string, Locked> } = JSON.parse(readFileSync(file, "utf8"));
  const missing = missingEntries(lock.packages);
  const entries = Object.entries({ ...lock.packages, ...missing });
  lock.packages = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, "en")));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} packages for other platforms added to package-lock.json`);
}
