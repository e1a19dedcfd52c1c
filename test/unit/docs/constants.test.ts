import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, textOf } from "./pages.ts";

/** One number of a document: the words around it, made from the constant that it comes from. */
interface Told {
  page: string;
  /** A constant or a field of the file. */
  constant: string;
  file: string;
  words: (value: number) => string;
}

const S = 1_000;
const MIN = 60 * S;
const GIB = 2 ** 30;

const api = "docs/reference/http-api.md";
const operations = "docs/guides/operations.md";
const data = "docs/guides/operations/data.md";
const reliability = "docs/explanation/reliability.md";
const build = "docs/reference/errors/build.md";
const kinds = "docs/reference/kinds.md";

const NUMBERS: Told[] = [
  {
    page: "docs/guides/scaling.md",
    file: "src/receiver/inbox.ts",
    constant: "maxHints",
    words: (n) => `If ${n.toLocaleString("en")} hints wait`,
  },
  {
    page: "docs/guides/scaling.md",
    file: "src/receiver/inbox.ts",
    constant: "maxWaitMs",
    words: (n) => `the first of them for ${n / S} s`,
  },
  {
    page: "docs/guides/receive-notices.md",
    file: "src/notices/webhook.ts",
    constant: "timeout",
    words: (n) => `after ${n / S} s without an answer`,
  },
  {
    page: "docs/guides/receive-notices.md",
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `sends it again: after ${n / S} s`,
  },
  {
    page: "docs/guides/development.md",
    file: "scripts/reporter.cjs",
    constant: "patience",
    words: (n) => `${{ 20: "twenty" }[n / S]} seconds after the last test`,
  },
  { page: api, file: "src/api/query.ts", constant: "DEFAULT_LIMIT", words: (n) => `newest first, ${n} at a time` },
  { page: api, file: "src/api/query.ts", constant: "MAX_LIMIT", words: (n) => `up to ${n}` },
  {
    page: api,
    file: "src/receiver/connections.ts",
    constant: "MAX_PIPELINED",
    words: (n) => `More than ${n} requests at once`,
  },
  {
    page: data,
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP",
    words: (n) => `deleted after ${n / (24 * 60 * MIN)} days`,
  },
  {
    page: data,
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP_CACHE",
    words: (n) => `not used for ${n / (24 * 60 * MIN)} days is always deleted`,
  },
  {
    page: operations,
    file: "src/observe/sampled-log.ts",
    constant: "WINDOW_MS",
    words: (n) => `them in ${n / S} s, one line`,
  },
  {
    page: data,
    file: "src/delivery/disk-budget.ts",
    constant: "GIBIBYTE",
    words: (n) => `less than ${n / GIB} GiB of the disk is free`,
  },
  {
    page: operations,
    file: "src/receiver/health.ts",
    constant: "READINESS_TTL_MS",
    words: (n) => `${{ 5: "five" }[S / n]} times a second`,
  },
  {
    page: reliability,
    file: "workers/deliver/lease.ts",
    constant: "ttl",
    words: (n) => `at most ${n / S} s (the lease)`,
  },
  {
    page: reliability,
    file: "workers/names/write-name.ts",
    constant: "TTL",
    words: (n) => `reservation ends after ${n / S} s`,
  },
  {
    page: reliability,
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `after a failure | ${n / S} s, doubling`,
  },
  {
    page: reliability,
    file: "src/delivery/retry.ts",
    constant: "LONGEST_WAIT_MS",
    words: (n) => `doubling to ${n / MIN} min`,
  },
  {
    page: reliability,
    file: "src/delivery/poll-schedule.ts",
    constant: "MAX_INTERVAL_MS",
    words: (n) => `at most ${n / MIN} min`,
  },
  {
    page: "docs/reference/errors/README.md",
    file: "src/delivery/retry.ts",
    constant: "FIRST_WAIT_MS",
    words: (n) => `tries again after ${n / S} s`,
  },
  {
    page: "docs/reference/errors/README.md",
    file: "src/delivery/retry.ts",
    constant: "LONGEST_WAIT_MS",
    words: (n) => `doubles up to ${n / MIN} min`,
  },
  {
    page: "docs/reference/errors/README.md",
    file: "workers/deliver/settle-failure.ts",
    constant: "BUG_ATTEMPTS",
    words: (n) => `tries ${{ 5: "five" }[n]} times, then the delivery fails`,
  },
  {
    page: build,
    file: "src/builders/engine/build-failure.ts",
    constant: "MAX_ENGINE_TRIES",
    words: (n) => `deliverd tries ${n} times`,
  },
  {
    page: build,
    file: "src/builders/engine/build-failure.ts",
    constant: "MAX_FETCH_TRIES",
    words: (n) => `deliverd tries ${n} times`,
  },
  { page: build, file: "src/builders/files.ts", constant: "MAX_FILES", words: (n) => `more than ${n} files` },
  {
    page: "docs/reference/errors/pipeline.md",
    file: "workers/commit/read-plan.ts",
    constant: "PIPELINE_MAX_BYTES",
    words: (n) => `more than ${n / 1024} kB`,
  },
  {
    page: "docs/reference/errors/pipeline.md",
    file: "src/cli/lint/files.ts",
    constant: "DOCKERFILE_MAX_BYTES",
    words: (n) => `a Dockerfile has more than ${n / 2 ** 20} MB`,
  },
  {
    page: "docs/reference/errors/pipeline.md",
    file: "workers/deliver/build.ts",
    constant: "CONTEXT_MAX_BYTES",
    words: (n) => `the build context has more than ${n / GIB} GiB`,
  },
  {
    page: "docs/reference/errors/pipeline.md",
    file: "workers/deliver/build.ts",
    constant: "CONTEXT_MAX_ENTRIES",
    words: (n) => `more than ${n.toLocaleString("en")} files and folders`,
  },
  { page: kinds, file: "src/builders/files.ts", constant: "MAX_FILES", words: (n) => `more than ${n} files` },
  {
    page: kinds,
    file: "src/builders/files/container.ts",
    constant: "MAX_PROCESSES",
    words: (n) => `At most ${n} processes`,
  },
  {
    page: kinds,
    file: "src/builders/files/identity/disk-image.ts",
    constant: "SECTOR_BYTES",
    words: (n) => `whole sectors of ${n} bytes`,
  },
  {
    page: kinds,
    file: "workers/sweep/housekeeping.ts",
    constant: "KEEP_CACHE",
    words: (n) => `after ${n / (24 * 60 * MIN)} days without use`,
  },
  {
    page: "docs/reference/notices.md",
    file: "src/notices/webhook.ts",
    constant: "timeout",
    words: (n) => `does not come within ${n / S} s`,
  },
  {
    page: "docs/reference/registries/ami.md",
    file: "src/registries/ami/blocks.ts",
    constant: "BLOCK",
    words: (n) => `**Blocks** have ${n / 1024} KiB`,
  },
  {
    page: "docs/reference/registries/ami.md",
    file: "src/registries/ami/write.ts",
    constant: "AT_ONCE",
    words: (n) => `${{ 8: "Eight" }[n]} are sent at once`,
  },
  {
    page: "docs/reference/registries/artifactory.md",
    file: "src/registries/artifactory/generic.ts",
    constant: "WORTH_ASKING",
    words: (n) => `a generic file of ${n / 1024} KiB or more`,
  },
  {
    page: "docs/reference/registries/codeartifact.md",
    file: "src/registries/protocols/aws/token.ts",
    constant: "RENEW_BEFORE_MS",
    words: (n) => `until ${{ 5: "five" }[n / MIN]} minutes before its end`,
  },
  {
    page: "docs/reference/registries/oci.md",
    file: "src/registries/protocols/oci/complete-images.ts",
    constant: "AT_ONCE",
    words: (n) => `${{ 5: "five" }[n]} at once`,
  },
  {
    page: "docs/reference/registries/pypi.md",
    file: "src/registries/protocols/files/registry.ts",
    constant: "NOT_SHOWN_RETRY_MS",
    words: (n) => `asks again after ${{ 5: "five" }[n / S]} seconds`,
  },
  {
    page: "docs/explanation/security.md",
    file: "src/api/auth.ts",
    constant: "SESSION_MS",
    words: (n) => `valid for ${n / (60 * MIN)} hours`,
  },
  {
    page: "docs/explanation/security.md",
    file: "src/observe/mask.ts",
    constant: "MAX_LEARNED",
    words: (n) => `remembers the newest ${n} of them`,
  },
  {
    page: "docs/explanation/security.md",
    file: "src/http/remote-text.ts",
    constant: "MAX_LENGTH",
    words: (n) => `at most ${n} characters`,
  },
  {
    page: "docs/explanation/crashes.md",
    file: "workers/deliver/lease.ts",
    constant: "ttl",
    words: (n) => `a lease ends after ${n / S} s`,
  },
  {
    page: "docs/explanation/crashes.md",
    file: "workers/sweep/sweep.ts",
    constant: "HINT_AGE",
    words: (n) => `queues its evaluation after ${n / S} s`,
  },
];

describe("A number in the documents", () => {
  for (const { page, file, constant, words } of NUMBERS) {
    const expected = words(numberIn(file, constant));

    it(`is that of the code: ${page} says "${expected}", as ${constant} in ${file}`, () => {
      const text = textOf(page).replace(/\s+/g, " ");
      assert.ok(text.includes(expected), `${page} does not say "${expected}"`);
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
