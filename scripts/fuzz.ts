import { parseArgs } from "node:util";
import { fuzzFiles } from "../test/fuzz/files.ts";
import { fuzzWebhooks } from "../test/fuzz/webhooks.ts";

// `npm run fuzz`: hostile payloads for the webhook endpoint and spoilt configuration files, the same for the same seed.
const { values } = parseArgs({
  options: {
    payloads: { type: "string", default: "100000" },
    files: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  },
});
const [payloads, inputs, seed] = [values.payloads, values.files, values.seed].map(Number) as [number, number, number];
if (![payloads, inputs, seed].every((each) => Number.isSafeInteger(each) && each >= 0)) {
  process.stderr.write("npm run fuzz -- [--payloads <n>] [--files <n>] [--seed <n>]\n");
  process.exit(2);
}
const say = (line: string) => process.stdout.write(`${line}\n`);

const webhooks = await fuzzWebhooks({ payloads, seed, say });
const caused = Object.entries(webhooks.answers).filter(([status]) => Number(status) >= 500);
say(`payloads: ${webhooks.payloads} (seed ${seed}, ${Math.round(webhooks.seconds)} s)`);
say(
  `answers by status: ${Object.entries(webhooks.answers)
    .map(([status, count]) => `${status === "0" ? "none" : status}: ${count}`)
    .join(", ")}`,
);
say(`5xx caused: ${caused.reduce((sum, [, count]) => sum + count, 0)}`);
say(`crashes: ${webhooks.crashes}`);
say(`unexpected answers: ${webhooks.unexpected.length}`);
say(`receiver's RSS at its peak: ${Math.round(webhooks.maxRssMb)} MB`);

const files = await fuzzFiles({ inputs, seed });
say(
  `configuration files: ${files.inputs}, taken ${files.taken}, refused ${files.refused}, longest ${Math.round(files.longestMs)} ms`,
);

const unexpected = [...webhooks.unexpected, ...files.unexpected];
for (const each of unexpected) say(`unexpected: ${each}`);
process.exitCode = unexpected.length + webhooks.crashes + caused.length === 0 && webhooks.maxRssMb < 256 ? 0 : 1;
