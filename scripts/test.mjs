// `npm test`: set up, build, run every test, close with one line of counts.
// Plain JavaScript without dependencies: it runs before there are any.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Side by side: what runs a whole deliverd mostly waits for it, and leaves a core to the others. */
const lanes = [
  ["e2e/**/[a-g]*", "attacks/**/*", "integration/{hosts,standins}/**/*"],
  ["e2e/**/[!a-g]*", "faults/**/*"],
  ["fuzz/**/*", "unit/**/*", "simulation/**/*", "integration/{registries,api}/**/*"],
  ["integration/!(registries|hosts|standins|api)/**/*"],
].map((tests) => tests.map((each) => `test/${each}.test.ts`));

async function main() {
  setUp("test");
  node("scripts/build.mjs", []);
  const scratch = mkdtempSync(join(tmpdir(), "dd-test-"));
  const only = process.argv.slice(2);
  try {
    const counts = await Promise.all(
      (only.length > 0 ? [only] : lanes).map((files, lane) =>
        runMocha(files, join(scratch, `counts-${lane}.json`), lane),
      ),
    );
    const sum = (key) => counts.reduce((total, each) => total + each[key], 0);
    // Once more at the end: a lane's own account may be far above.
    for (const failure of counts.flatMap((each) => each.failures)) console.log(`\nFAILED ${failure}`);
    return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The first lane is shown as it runs; what another prints comes in one piece, when it has ended. */
async function runMocha(files, countsFile, lane) {
  const options = ["--reporter=scripts/reporter.cjs", "--require=test/support/engine/shared-engine.ts"];
  const mocha = spawn(process.execPath, ["node_modules/mocha/bin/mocha.js", ...options, ...files], {
    cwd: root,
    stdio: ["ignore", lane === 0 ? "inherit" : "pipe", lane === 0 ? "inherit" : "pipe"],
    env: { ...process.env, DELIVERD_TEST_COUNTS: countsFile },
  });
  const printed = [];
  mocha.stdout?.on("data", (chunk) => printed.push(chunk));
  mocha.stderr?.on("data", (chunk) => printed.push(chunk));
  const status = await new Promise((resolve) => mocha.once("close", resolve));
  process.stdout.write(Buffer.concat(printed));
  const { passed, skipped, failures } = JSON.parse(readFileSync(countsFile, "utf8"));
  // All tests may have passed and mocha failed all the same: it died after the last test.
  if (failures.length === 0 && status !== 0) failures.push(`mocha itself: exit code ${status}`);
  return { passed, failed: failures.length, skipped, failures };
}

function node(script, args) {
  const done = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (done.status !== 0) throw new Error(`${script} ${args.join(" ")} failed (${done.status ?? done.signal}).`);
}

async function outcome() {
  try {
    return await main();
  } catch (error) {
    console.error(error.code === "ENOENT" ? `mocha ended before its tests did: ${error.message}` : error.message);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const { passed, failed, skipped } = await outcome();
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
