// The house's import rules: one table, and the walk over every import that holds the code to it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ports = [
  "src/hosts/host.ts",
  "src/hosts/webhook.ts",
  "src/hosts/webhook-registration.ts",
  "src/hosts/host-tools.ts",
  "src/hosts/app-setup.ts",
  "src/builders/builder.ts",
  "src/registries/registry.ts",
  "src/notices/notice.ts",
];
const adapters = ["src/hosts", "src/builders", "src/registries", "src/notices"];
const basics = ["src/delivery", "src/async", "src/observe", "src/run", "src/http", "src/settings"];
const lists = ["src/hosts/index.ts", "src/registries/index.ts", "src/notices/index.ts", "src/builders/index.ts"];
const middle = [
  ...basics,
  ...ports,
  ...lists,
  "src/config",
  "src/builders",
  "src/store",
  "src/ledger",
  "src/queue",
  "src/git",
  "src/proof",
];

/**
 * The rooms of `workers/`, with what each may import of the others: all know of a commit what `commit` reads, and only
 * `deliver` enters another room's work. The others meet in the ledger and the queue.
 */
const workers: Record<string, string[]> = {
  "workers/commit": [],
  "workers/proof": ["workers/commit"],
  "workers/announce": ["workers/commit", "workers/proof"],
  "workers/names": ["workers/commit"],
  "workers/deliver": ["workers/commit", "workers/names"],
  "workers/evaluate": ["workers/commit"],
  "workers/sweep": ["workers/commit"],
};
const station = ["workers/station.ts", "workers/build-slots.ts"];

/** The same of what registries share. */
const protocols = "src/registries/protocols";
const shelves = [`${protocols}/http`, `${protocols}/progress.ts`, `${protocols}/files`];
const registries = [...basics, ...ports, "src/store", "src/packages"];

/**
 * What each room may import besides itself: imports run downward only, the domain stands at the bottom, the command line
 * on top. A room inside another has an entry of its own; `workers/*` is what lies right under `workers`.
 */
const rooms: Record<string, string[]> = {
  "src/delivery": [],
  "src/async": [],
  "src/run": [],
  "src/observe": ["src/delivery", "src/async"],
  "src/http": ["src/delivery", "src/async", "src/run", "src/observe"],
  "src/settings": ["src/delivery"],
  "src/store": [...basics, ...ports],
  "src/ledger": [...basics, ...ports],
  "src/queue": [...basics, ...ports],
  "src/git": [...basics, ...ports],
  "src/packages": [...basics],
  // Keys may be kept by AWS, like registries.
  "src/proof": [...basics, `${protocols}/aws`],
  "src/hosts": [...basics, ...ports],
  "src/builders": [...basics, ...ports, "src/store", "src/packages"],
  "src/registries": [...registries, protocols],
  [protocols]: registries,
  [`${protocols}/http`]: registries,
  [`${protocols}/aws`]: [...registries, `${protocols}/http`],
  [`${protocols}/files`]: [...registries, ...shelves],
  [`${protocols}/oci`]: [...registries, ...shelves],
  [`${protocols}/maven`]: [...registries, ...shelves],
  [`${protocols}/npm`]: [...registries, ...shelves],
  [`${protocols}/pypi`]: [...registries, ...shelves],
  "src/notices": [...basics, ...ports],
  "src/config": [...basics, ...ports, ...lists],
  "src/receiver": middle,
  "src/api": [...middle, "src/receiver"],
  "src/web": [...middle, "src/receiver", "src/api"],
  ...Object.fromEntries(Object.entries(workers).map(([room, others]) => [room, [...middle, ...station, ...others]])),
  "workers/*": [...middle, ...Object.keys(workers)],
  "src/cli": [
    "src/registries/image-proofs.ts",
    ...middle,
    "src/receiver",
    "src/api",
    "src/web",
    "workers/*",
    ...Object.keys(workers),
  ],
};

/** All that the domain may take from outside: it computes, and touches no file, no network, no clock. */
const pure = new Set(["node:crypto", "node:util", "picomatch", "packageurl-js", "semver", "yaml", "zod"]);

/** Files of an adapter folder that are no adapter: its port, what its adapters share, and the one place that knows them all. */
const shared = new Set([
  ...ports,
  ...adapters.flatMap((folder) => [`${folder}/index.ts`, `${folder}/protocols`]),
  "src/registries/registry-type.ts",
  "src/registries/image-proofs.ts",
  "src/builders/builder-kind.ts",
  "src/hosts/host-type.ts",
  "src/hosts/ci-state.ts",
  "src/hosts/own-hooks.ts",
  "src/hosts/payload.ts",
  "src/hosts/rest",
  "src/hosts/standard-proof.ts",
  "src/notices/notice-kind.ts",
  "src/builders/buildkit",
  "src/builders/engine",
  "src/builders/engine.ts",
]);

/** Every import in `root` that breaks a rule, as one line for the person. */
export function findViolations(root: string): string[] {
  const files = sourceFiles(root);
  if (files.length === 0) return [`${root} holds no source at all: the rules were held against nothing`];
  const imports = new Map(files.map((file) => [file, importsOf(readFileSync(join(root, file), "utf8"))]));
  const upward = files.flatMap((file) =>
    (imports.get(file) ?? []).flatMap((specifier) => {
      const why = violation(root, file, specifier);
      return why === null ? [] : [`${file} imports ${specifier}: ${why}`];
    }),
  );
  return [...upward, ...findCircles(imports)];
}

/** Files that import each other, if only in the end and for a type: each circle once, from the file where a walk closes it. */
function findCircles(imports: Map<string, string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): string[] => {
    const start = path.indexOf(file);
    if (start >= 0) return [`a circle of files: ${[...path.slice(start), file].join(" imports ")}`];
    if (done.has(file)) return [];
    path.push(file);
    const own = (imports.get(file) ?? []).filter((specifier) => specifier.startsWith("."));
    const found = own.flatMap((specifier) => walk(normalize(join(dirname(file), specifier))));
    path.pop();
    done.add(file);
    return found;
  };
  return [...imports.keys()].flatMap(walk);
}

/** Paths from the root, of all that ends up in `dist/`. */
export function sourceFiles(root: string): string[] {
  return ["src", "workers"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => `${folder}/${path}`)
      .sort(),
  );
}

function violation(root: string, file: string, specifier: string): string | null {
  const room = roomOf(file);
  if (room === null) return `${file} stands in no room of the table in scripts/imports.ts`;
  if (!specifier.startsWith(".")) {
    return room === "src/delivery" && !pure.has(specifier) ? "src/delivery does no I/O" : null;
  }
  const target = normalize(join(dirname(file), specifier));
  if (!existsSync(join(root, target))) return "there is no such file";
  if (!mayImport(room, target)) return `${room} may import ${rooms[room]?.join(", ") || "nothing of ours"}`;
  const [from, to] = [adapterOf(file), adapterOf(target)];
  const inOneFolder = adapters.some((folder) => file.startsWith(`${folder}/`) && target.startsWith(`${folder}/`));
  if (!inOneFolder || file.endsWith("/index.ts")) return null;
  if (target.endsWith("/index.ts")) return "an adapter knows no list of adapters";
  return to !== null && from !== to ? "an adapter knows no other adapter" : null;
}

function mayImport(room: string, target: string): boolean {
  const to = roomOf(target);
  if (to === null) return false;
  return (
    to === room ||
    (rooms[room] ?? []).some((allowed) => allowed === to || to.startsWith(`${allowed}/`) || allowed === target)
  );
}

/** `src/delivery/gate.ts` stands in `src/delivery`, `workers/names/publish.ts` in `workers/names`, `workers/main.ts` in `workers/*`. */
function roomOf(file: string): string | null {
  for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) {
    if (folder in rooms) return folder;
    if (`${folder}/*` in rooms && folder === dirname(file)) return `${folder}/*`;
  }
  return null;
}

/** The folder or file of one adapter, a file and the folder of its name being one; null for what is none. */
function adapterOf(file: string): string | null {
  const folder = adapters.find((name) => file.startsWith(`${name}/`));
  if (folder === undefined) return null;
  const entry = `${folder}/${file.slice(folder.length + 1).split("/")[0]}`;
  return shared.has(entry) ? null : entry.replace(/\.ts$/, "");
}

/** TypeScript 7 has no parser to borrow, and an import's shape is plain enough for a pattern: type imports and re-exports are caught too. */
function importsOf(text: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^;"'`=]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']\s*\)/g,
    /\brequire\(\s*["']([^"']+)["']\s*\)/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ""));
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const root = join(dirname(self), "..");
  const violations = findViolations(root);
  for (const line of violations) console.error(line);
  if (violations.length === 0)
    console.log(`Every import under ${relative(process.cwd(), root) || "."} keeps the rules.`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
