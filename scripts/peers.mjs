// `npm run test:peers`: the tests against a real buildkitd, which Debian has no package of. It is built from its source
// once, and kept under ~/.cache. Plain JavaScript without dependencies: it runs before there are any.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Its module needs Go 1.20. Later versions work as well, and need a newer Go. */
const VERSION = process.env.DELIVERD_BUILDKIT_VERSION ?? "v0.12.5";

/** @returns the path of the program */
function buildkitd() {
  const given = process.env.DELIVERD_TEST_BUILDKITD;
  if (given) return given;
  if (run("buildkitd", ["--version"], { stdio: "ignore" }) === 0) return "buildkitd";
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "deliverd-test", `buildkit-${VERSION}`);
  const program = join(folder, "buildkitd");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  console.log(`Building buildkitd ${VERSION} (some minutes, once).`);
  const module = `github.com/moby/buildkit/cmd/buildkitd@${VERSION}`;
  const status = run("go", ["install", module], { env: { ...process.env, GOBIN: folder } });
  if (status === 0) return program;
  throw new Error(
    "There is no buildkitd, and it cannot be built: that needs Go 1.20 or newer and the Go module proxy. " +
      "Set DELIVERD_TEST_BUILDKITD to the path of one.",
  );
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: "inherit", ...options }).status;
}

try {
  setUp("test");
  const mocha = ["node_modules/mocha/bin/mocha.js", "--require=test/support/engine/shared-engine.ts"];
  const env = { ...process.env, DELIVERD_TEST_BUILDKITD: buildkitd() };
  process.exitCode = run(process.execPath, [...mocha, "test/peers/**/*.test.ts"], { env }) ?? 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
