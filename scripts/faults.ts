import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isContent } from "../test/faults/oracle.ts";
import { soak, tell } from "../test/faults/soak.ts";

// `npm run test:faults`: every row of the table of faults, those that are too slow for `npm test` (test/soak) with them.
// `-- --kills 500 --seed 1`: the long soak instead; `--minutes 20`: as many of the kills as fit into that.
const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: "string" }, minutes: { type: "string" }, seed: { type: "string", default: "1" } },
});

if (values.kills === undefined) {
  const files = positionals.length > 0 ? positionals : ["test/faults/**/*.test.ts", "test/soak/**/*.test.ts"];
  const { status } = spawnSync(
    process.execPath,
    ["node_modules/mocha/bin/mocha.js", "--require=test/support/engine/shared-engine.ts", ...files],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
  );
  process.exitCode = status ?? 1;
} else {
  const kills = Number(values.kills);
  const seed = Number(values.seed);
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed) || !(minutes > 0)) {
    process.stderr.write("npm run test:faults -- [--kills <n> [--minutes <n>] [--seed <n>]] | [<test file>…]\n");
    process.exit(2);
  }
  const result = await soak({ kills, minutes, seed, say: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(`${tell(result)}\n`);
  const isWell = isContent(result) && result.crashes.length + result.violations.length === 0;
  process.exitCode = isWell ? 0 : 1;
}
