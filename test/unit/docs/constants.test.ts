import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { documents, root, textOf } from "./pages.ts";

/** One number of a document: the words around it, made from the constant that it comes from. */
interface Told {
  /** A constant or a field of the file. */
  constant: string;
  file: string;
  words: (value: number) => string;
}

const S = 1_000;
const MIN = 60 * S;
const GIB = 2 ** 30;

const NUMBERS: Told[] = [
  {
    file: "src/receiver/inbox.ts",
    constant: "maxHints",
    words: (n) => `If ${n.toLocaleString("en")} hints wait`,
  },
  {
    file: "src/receiver/inbox.ts",
    constant: "maxWaitMs",
    words: (n) => `the first of them for ${n / S} s`,
  },
  {
    file: "src/notices/webhook.ts",
    constant: "timeout",
    words: (n) => `after ${n / S} s without an answer`,
  },
  {
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `sends it again: after ${n / S} s`,
  },
  {
    file: "scripts/reporter.cjs",
    constant: "patience",
    words: (n) => `${{ 20: "twenty" }[n / S]} seconds after the last test`,
  },
  { file: "src/api/query.ts", constant: "DEFAULT_LIMIT", words: (n) => `newest first, ${n} at a time` },
  { file: "src/api/query.ts", constant: "MAX_LIMIT", words: (n) => `up to ${n}` },
  {
    file: "src/receiver/connections.ts",
    constant: "MAX_PIPELINED",
    words: (n) => `More than ${n} requests at once`,
  },
  {
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP",
    words: (n) => `deleted after ${n / (24 * 60 * MIN)} days`,
  },
  {
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP_CACHE",
    words: (n) => `not used for ${n / (24 * 60 * MIN)} days is always deleted`,
  },
  {
    file: "src/observe/sampled-log.ts",
    constant: "WINDOW_MS",
    words: (n) => `them in ${n / S} s, one line`,
  },
  {
    file: "src/delivery/disk-budget.ts",
    constant: "GIBIBYTE",
    words: (n) => `less than ${n / GIB} GiB of the disk is free`,
  },
  {
    file: "src/receiver/health.ts",
    constant: "READINESS_TTL_MS",
    words: (n) => `${{ 5: "five" }[S / n]} times a second`,
  },
  {
    file: "workers/deliver/lease.ts",
    constant: "ttl",
    words: (n) => `at most ${n / S} s (the lease)`,
  },
  {
    file: "workers/names/write-name.ts",
    constant: "TTL",
    words: (n) => `reservation ends after ${n / S} s`,
  },
  {
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `after a failure | ${n / S} s, doubling`,
  },
  {
    file: "src/delivery/retry.ts",
    constant: "LONGEST_WAIT_MS",
    words: (n) => `doubling to ${n / MIN} min`,
  },
  {
    file: "src/delivery/poll-schedule.ts",
    constant: "MAX_INTERVAL_MS",
    words: (n) => `at most ${n / MIN} min`,
  },
  {
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `tries again after ${n / S} s`,
  },
  {
    file: "src/delivery/retry.ts",
    constant: "LONGEST_WAIT_MS",
    words: (n) => `doubles up to ${n / MIN} min`,
  },
  {
    file: "workers/deliver/settle-failure.ts",
    constant: "BUG_ATTEMPTS",
    words: (n) => `tries ${{ 5: "five" }[n]} times, then the delivery fails`,
  },
  {
    file: "src/builders/engine/build-failure.ts",
    constant: "MAX_ENGINE_TRIES",
    words: (n) => `deliverd tries ${n} times`,
  },
  {
    file: "src/builders/engine/build-failure.ts",
    constant: "MAX_FETCH_TRIES",
    words: (n) => `deliverd tries ${n} times`,
  },
  { file: "src/builders/files.ts", constant: "MAX_FILES", words: (n) => `more than ${n} files` },
  {
    file: "workers/commit/read-plan.ts",
    constant: "PIPELINE_MAX_BYTES",
    words: (n) => `more than ${n / 1024} kB`,
  },
  {
    file: "src/cli/lint/files.ts",
    constant: "DOCKERFILE_MAX_BYTES",
    words: (n) => `a Dockerfile has more than ${n / 2 ** 20} MB`,
  },
  {
    file: "workers/deliver/build.ts",
    constant: "CONTEXT_MAX_BYTES",
    words: (n) => `the build context has more than ${n / GIB} GiB`,
  },
  {
    file: "workers/deliver/build.ts",
    constant: "CONTEXT_MAX_ENTRIES",
    words: (n) => `more than ${n.toLocaleString("en")} files and folders`,
  },
  { file: "src/builders/files.ts", constant: "MAX_FILES", words: (n) => `more than ${n} files` },
  {
    file: "src/builders/files/container.ts",
    constant: "MAX_PROCESSES",
    words: (n) => `At most ${n} processes`,
  },
  {
    file: "src/builders/files/identity/disk-image.ts",
    constant: "SECTOR_BYTES",
    words: (n) => `whole sectors of ${n} bytes`,
  },
  {
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP_CACHE",
    words: (n) => `after ${n / (24 * 60 * MIN)} days without use`,
  },
  {
    file: "src/notices/webhook.ts",
    constant: "timeout",
    words: (n) => `does not come within ${n / S} s`,
  },
  {
    file: "src/registries/ami/blocks.ts",
    constant: "BLOCK",
    words: (n) => `**Blocks** have ${n / 1024} KiB`,
  },
  {
    file: "src/registries/ami/write.ts",
    constant: "AT_ONCE",
    words: (n) => `${{ 8: "Eight" }[n]} are sent at once`,
  },
  {
    file: "src/registries/artifactory/generic.ts",
    constant: "WORTH_ASKING",
    words: (n) => `a generic file of ${n / 1024} KiB or more`,
  },
  {
    file: "src/registries/protocols/aws/token.ts",
    constant: "RENEW_BEFORE_MS",
    words: (n) => `until ${{ 5: "five" }[n / MIN]} minutes before its end`,
  },
  {
    file: "src/registries/protocols/oci/complete-images.ts",
    constant: "AT_ONCE",
    words: (n) => `${{ 5: "five" }[n]} at once`,
  },
  {
    file: "src/registries/protocols/files/registry.ts",
    constant: "NOT_SHOWN_RETRY_MS",
    words: (n) => `asks again after ${{ 5: "five" }[n / S]} seconds`,
  },
  {
    file: "src/api/session.ts",
    constant: "SESSION_MS",
    words: (n) => `valid for ${n / (60 * MIN)} hours`,
  },
  {
    file: "src/observe/mask.ts",
    constant: "MAX_LEARNED",
    words: (n) => `remembers the newest ${n} of them`,
  },
  {
    file: "src/http/remote-text.ts",
    constant: "MAX_LENGTH",
    words: (n) => `at most ${n} characters`,
  },
  {
    file: "workers/deliver/lease.ts",
    constant: "ttl",
    words: (n) => `a lease ends after ${n / S} s`,
  },
  {
    file: "workers/sweep/sweep.ts",
    constant: "HINT_AGE",
    words: (n) => `queues its evaluation after ${n / S} s`,
  },
];

describe("A number in the documents", () => {
  // Wherever it stands: pages are split and moved.
  const text = documents.map((page) => textOf(page).replace(/\s+/g, " ")).join("\n");

  for (const { file, constant, words } of NUMBERS) {
    it(`is that of the code: ${constant} in ${file}`, () => {
      const expected = words(numberIn(file, constant));
      assert.ok(text.includes(expected), `no document says "${expected}"`);
    });
  }
});

/** The value of `const NAME = …;`, of a field `name: …,`, or of a default `name = …`: numbers, products and other constants. */
function numberIn(file: string, name: string): number {
  const text = readFileSync(join(root, file), "utf8");
  const [, expression] = new RegExp(`\\b${name}(?: =|:) (\\(?[\\dA-Z][\\w *]*\\)?)(?=[;,)\\n }])`).exec(text) ?? [];
  if (expression === undefined) return assert.fail(`${file} has no ${name}`);
  return expression
    .split(/ \* /)
    .map((factor) => {
      const [base = "", power = "1"] = factor.split(" ** ");
      const number = /^\d/.test(base) ? Number(base.replaceAll("_", "")) : numberIn(file, base);
      return number ** Number(power);
    })
    .reduce((product, factor) => product * factor, 1);
}
