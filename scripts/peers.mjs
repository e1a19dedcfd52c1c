// `npm run test:peers`: the tests against real peers, which Debian has no packages of. Each is built from its source once,
// and kept under ~/.cache. One that cannot be had is left out, and a line says so. Plain JavaScript without dependencies:
// it runs before there are any.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** For the build of one, in ms: where modules come slowly, it is left out. */
const BUILD_LIMIT = 5 * 60_000;

/** `variable` may name the program. Its tests are those of `test/peers/<name>*.test.ts`. */
const PEERS = [
  {
    name: "buildkitd",
    module: "github.com/moby/buildkit/cmd/buildkitd",
    version: "v0.12.5",
    variable: "DELIVERD_TEST_BUILDKITD",
  },
];

/** @returns the path of the program, or null where it cannot be had */
function programOf({ name, module, version, variable }) {
  const given = process.env[variable];
  if (given) return given;
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(cache, "deliverd-test", `${name}-${version}`);
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  console.log(`Building ${name} ${version} (some minutes, once).`);
  const built = run("go", ["install", `${module}@${version}`], {
    env: { ...process.env, GOBIN: folder },
    stdio: "pipe",
    timeout: BUILD_LIMIT,
  });
  return built.status === 0 ? program : null;
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
}

setUp("test");
const programs = PEERS.map((peer) => ({ ...peer, program: programOf(peer) }));
const absent = programs.filter(({ program }) => program === null);
const found = programs.filter(({ program }) => program !== null);
if (found.length > 0) {
  const mocha = ["node_modules/mocha/bin/mocha.js", "--require=test/support/engine/shared-engine.ts"];
  const tests = found.map(({ name }) => `test/peers/${name}*.test.ts`);
  const paths = Object.fromEntries(found.map(({ variable, program }) => [variable, program]));
  process.exitCode = run(process.execPath, [...mocha, ...tests], { env: { ...process.env, ...paths } }).status ?? 1;
}
if (absent.length > 0) {
  const names = absent.map(({ name, variable }) => `${name} (or set ${variable})`).join(", ");
  console.log(`Left out: ${names}. Building it needs a current Go and the Go module proxy.`);
}
