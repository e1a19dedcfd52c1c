import { parseArgs } from "node:util";
import type { Measure } from "./bench.ts";
import { catalogPostgres, catalogSqlite } from "./catalog.ts";
import { commitToRegistryLarge, commitToRegistrySmall } from "./commit-to-registry.ts";
import { hosts } from "./hosts.ts";
import { idle } from "./idle.ts";
import { ingest } from "./ingest.ts";
import { ledgerSizePostgres, ledgerSizeSqlite } from "./ledger-size.ts";
import { manyRepos } from "./many-repos.ts";
import { receiverMemory } from "./receiver-memory.ts";
import { redisOutage } from "./redis-outage.ts";
import { type Row, table } from "./row.ts";
import { startUp } from "./start-up.ts";
import { sweep } from "./sweep.ts";
import { threeRegistries } from "./three-registries.ts";
import { upload } from "./upload.ts";
import { webhookToBuild } from "./webhook-to-build.ts";

/** By what `npm run bench -- <row>` takes; each may print several rows that begin with its name. */
const measures: Record<string, Measure> = {
  ingest,
  "receiver-memory": receiverMemory,
  "commit-to-registry-small": commitToRegistrySmall,
  "commit-to-registry-large": commitToRegistryLarge,
  "start-up": startUp,
  idle,
  "ledger-size-sqlite": ledgerSizeSqlite,
  "ledger-size-postgres": ledgerSizePostgres,
  hosts,
  "catalog-sqlite": catalogSqlite,
  "catalog-postgres": catalogPostgres,
  sweep,
  upload,
  "three-registries": threeRegistries,
  "many-repos": manyRepos,
  "redis-outage": redisOutage,
  "webhook-to-build": webhookToBuild,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } },
});

const isAsked = (name: string) =>
  positionals.length === 0 || positionals.some((each) => name.startsWith(each) || each.startsWith(`${name}-`));
const asked = Object.entries(measures).filter(([name]) => isAsked(name));
const rounds = Number(values.rounds);
if (asked.length === 0 || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`npm run bench -- [${Object.keys(measures).join("|")}]… [--json] [--rounds <n>]\n`);
  process.exit(2);
}

const rows: Row[] = [];
for (const [name, measure] of asked) {
  const all = await measure({ rounds, say: (line) => process.stderr.write(`${name}: ${line}\n`) });
  const found =
    positionals.length === 0 ? all : all.filter(({ row }) => positionals.some((each) => row.startsWith(each)));
  if (values.json) for (const row of found) process.stdout.write(`${JSON.stringify(row)}\n`);
  rows.push(...found);
}
if (!values.json) process.stdout.write(table(rows));
