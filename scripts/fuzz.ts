import { parseArgs } from "node:util";
import { fuzzFiles } from "../test/fuzz/files.ts";
import { fuzzWebhooks } from "../test/fuzz/webhooks.ts";

// `npm run fuzz`: hostile payloads for the webhooks of each type of host, and spoilt configuration files, the same for the same seed.
const { values } = parseArgs({
  options: {
    payloads: { type: "string", default: "20000" },
    files: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  },
});
const [payloads, inputs, seed] = [values.payloads, values.files, values.seed].map(Number) as [number, number, number];
if (![payloads, inputs, seed].every((each) => Number.isSafeInteger(each) && each >= 0)) {
  process.stderr.write("npm run fuzz -- [--payloads <n for each type of host>] [--files <n>] [--seed <n>]\n");
  process.exit(2);
}
const say = (line: string) => process.stdout.write(`${line}\n`);

const webhooks = await fuzzWebhooks({ payloadsForEach: payloads, seed, say });
let caused = 0;
say(`payloads: ${webhooks.payloads} (seed ${seed}, ${Math.round(webhooks.seconds)} s)`);
for (const [type, answers] of Object.entries(webhooks.answers)) {
  const shown = Object.entries(answers).map(([status, count]) => `${status === "0" ? "none" : status}: ${count}`);
  say(`answers for ${type} by status: ${shown.join(", ")}`);
  for (const [status, count] of Object.entries(answers)) if (Number(status) >= 500) caused += count;
}
say(`5xx caused: ${caused}`);
say(`crashes: ${webhooks.crashes}`);
say(`unexpected answers: ${webhooks.unexpected.length}`);
say(`receiver's RSS at its peak: ${Math.round(webhooks.maxRssMb)} MB`);

const files = await fuzzFiles({ inputs, seed });
say(
  `configuration files: ${files.inputs}, taken ${files.taken}, refused ${files.refused}, longest ${Math.round(files.longestMs)} ms`,
);

const unexpected = [...webhooks.unexpected, ...files.unexpected];
for (const each of unexpected) say(`unexpected: ${each}`);
process.exitCode = unexpected.length + webhooks.crashes + caused === 0 && webhooks.maxRssMb < 256 ? 0 : 1;
