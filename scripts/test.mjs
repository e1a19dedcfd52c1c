// `npm test`: set up, build, run every test, close with one line of counts.
// Plain JavaScript without dependencies: it runs before there are any.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

function main() {
  setUp("test");
  node("node_modules/typescript/bin/tsc", ["-p", "tsconfig.build.json"]);
  const scratch = mkdtempSync(join(tmpdir(), "dd-test-"));
  try {
    return runMocha(join(scratch, "counts.json"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function runMocha(countsFile) {
  const only = process.argv.slice(2);
  const files = only.length > 0 ? only : ["test/**/*.test.ts"];
  const options = [
    "--ignore=test/soak/**",
    "--ignore=test/faults/**",
    "--reporter=scripts/reporter.cjs",
    "--require=test/support/shared-engine.ts",
  ];
  const done = spawnSync(process.execPath, ["node_modules/mocha/bin/mocha.js", ...options, ...files], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DELIVERD_TEST_COUNTS: countsFile },
  });
  const { passes, failures, pending } = JSON.parse(readFileSync(countsFile, "utf8"));
  // All tests may have passed and mocha failed all the same: something lingered, or died after the last test.
  const failed = failures === 0 && done.status !== 0 ? 1 : failures;
  return { passed: passes, failed, skipped: pending };
}

function node(script, args) {
  const done = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (done.status !== 0) throw new Error(`${script} ${args.join(" ")} failed (${done.status ?? done.signal}).`);
}

function outcome() {
  try {
    return main();
  } catch (error) {
    console.error(error.code === "ENOENT" ? `mocha ended before its tests did: ${error.message}` : error.message);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const { passed, failed, skipped } = outcome();
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
