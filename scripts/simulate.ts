import { parseArgs } from "node:util";
import { MISTAKES } from "../test/simulation/mistakes/list.ts";
import { Pool } from "../test/simulation/run/pool.ts";
import { scenarioOf } from "../test/simulation/run/scenario.ts";
import { shrink } from "../test/simulation/run/shrink.ts";
import { Tally } from "../test/simulation/run/tally.ts";

// `npm run simulate`: deliverd in virtual time, one scenario for each seed. The first scenario with a problem is shrunk
// and told.
const USAGE = `npm run simulate -- [--deliveries <n> | --seeds <n>] [--from <seed>] [--planted <mistake>]
npm run simulate -- --seed <seed> [--planted <mistake>]   one scenario, with what happened in it
The mistakes that can be planted:
${MISTAKES.map(({ name }) => `  ${name}`).join("\n")}
`;
const PROGRESS_EVERY_MS = 60_000;

const { values } = parseArgs({
  options: {
    deliveries: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    planted: { type: "string" },
  },
});
const [most, deliveries, from, seed] = [values.seeds, values.deliveries, values.from, values.seed].map((text) =>
  text === undefined ? null : Number(text),
);
const planted = values.planted ?? null;
const areNumbers = [most, deliveries, from, seed].every(
  (value) => value == null || (Number.isInteger(value) && value > 0),
);
if (!areNumbers || (planted !== null && !MISTAKES.some(({ name }) => name === planted))) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const pool = await Pool.open();
try {
  process.exitCode = (await main()) ? 0 : 1;
} finally {
  await pool.close();
}

/** @returns whether nothing was wrong */
async function main(): Promise<boolean> {
  const tally = new Tally();
  const first = seed ?? from ?? 1;
  const enough = seed != null ? 1 : (most ?? (deliveries == null ? 1_000 : Number.POSITIVE_INFINITY));
  function* scenarios() {
    for (let next = first; next < first + enough; next++) yield scenarioOf(next);
  }
  const progress = setInterval(() => process.stdout.write(`… ${tally}\n`), PROGRESS_EVERY_MS);
  await pool.run(
    scenarios(),
    (report) => {
      tally.add(report);
      return tally.failing === null && tally.deliveries < (deliveries ?? Number.POSITIVE_INFINITY);
    },
    planted,
  );
  clearInterval(progress);
  process.stdout.write(`${tally}\n`);
  const { failing } = tally;
  if (failing === null) return true;
  process.stdout.write(`\nSeed ${failing.scenario.seed}: ${failing.problems.join("\n")}\n\nShrinking…\n`);
  const { scenario, problems, trace } = await shrink(failing, (each) => pool.runOne(each, planted));
  process.stdout.write(
    `\n${problems[0]}\n\n${trace.join("\n")}\n\nThe scenario, for a test:\n${JSON.stringify(scenario)}\n`,
  );
  return false;
}
