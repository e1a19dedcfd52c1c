import { openLedger } from "../src/ledger/ledger.ts";
import { startPostgres } from "../test/support/databases/postgres.ts";
import type { SampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { until } from "../test/support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../test/support/world/world.ts";
import { alternate, type Bench, type Measure, withOpened } from "./bench.ts";
import { DELIVERIES, givePast } from "./past.ts";
import { changeOne, fillSmall } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { daemonEnvironment } from "./servers.ts";

const NAME = "small";

export const ledgerSizeSqlite: Measure = (bench) => ledgerSize(bench, "sqlite", async () => undefined);

export const ledgerSizePostgres: Measure = (bench) =>
  withOpened(async (open) => {
    const server = await open(startPostgres(), (one) => one.stop());
    return ledgerSize(bench, "postgres", () => server.newDatabase());
  });

/**
 * From a webhook that says green to the image readable in its registry and the delivery `delivered`, on a ledger with a long
 * past, beside the same on one without. Two whole worlds, which take turns.
 */
function ledgerSize(bench: Bench, of: string, newDatabase: () => Promise<string | undefined>): Promise<Row[]> {
  return withOpened(async (open) => {
    const start = async (isLong: boolean): Promise<() => Promise<number>> => {
      const databaseUrl = await newDatabase();
      const world = await open(
        startWorld({ env: daemonEnvironment(), config: databaseUrl ? { databaseUrl } : {} }),
        (one) => one.stop(),
      );
      const repo = await world.repo(NAME);
      await fillSmall(repo);
      await repo.commit({ ".deliverd.yml": pipeline([image(NAME)]) }, "Add a pipeline");
      const sha = await world.release(repo);
      await settled(world, repo, sha);
      if (isLong) await growOld(bench, world, (await world.delivery(repo, sha)).id, databaseUrl);
      world.github.webhooksOff = true;
      await delivered(world, repo);
      return () => delivered(world, repo);
    };
    // Filling keeps this process from serving the other world's servers.
    const long = await start(true);
    const empty = await start(false);
    const figures = await alternate(bench, { "a long past": long, "an empty ledger": empty });
    const goal = { of: "ratio", is: "≤", bound: 1.15 } as const;
    const named = { row: `ledger-size-${of}`, beside: "an empty ledger", unit: "s", goal };
    return [toRow(named, figures["a long past"] ?? [], figures["an empty ledger"] ?? [])];
  });
}

async function growOld(bench: Bench, world: World, model: string, databaseUrl: string | undefined): Promise<void> {
  await world.deliverd.stop();
  const begin = performance.now();
  const ledger = await openLedger({ dataDir: world.deliverd.dataDir, databaseUrl });
  try {
    await givePast(ledger, model);
  } finally {
    await ledger.close();
  }
  bench.say(`${DELIVERIES} deliveries came into the ledger in ${Math.round((performance.now() - begin) / 1000)} s`);
  await world.deliverd.restart();
}

/** @returns seconds */
async function delivered(world: World, repo: SampleRepo): Promise<number> {
  await changeOne(repo);
  const sha = await repo.head();
  await repo.push();
  const green = (await world.github.green(repo.repo, sha)).find((hook) => hook.event === "check_run");
  if (green === undefined) throw new Error("GitHub told of no check run");
  const begin = performance.now();
  const { status, body } = await world.github.redeliver(green);
  if (status !== 202) throw new Error(`the webhook was answered ${status}: ${body}`);
  while ((await world.digest(`acme/${NAME}`, `sha-${sha.slice(0, 7)}`)) === null) await pause();
  while ((await world.delivery(repo, sha)).state !== "delivered") await pause();
  const seconds = (performance.now() - begin) / 1000;
  await settled(world, repo, sha);
  return Number(seconds.toFixed(3));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** The next round begins when nothing is left to do. */
async function settled(world: World, repo: SampleRepo, sha: string): Promise<void> {
  await world.status(repo, sha, NAME, "success");
  const registry = `acme/${NAME}`;
  await until("the branch's name has moved", async () => {
    const [now, main] = [await world.digest(registry, `sha-${sha.slice(0, 7)}`), await world.digest(registry, "main")];
    return now !== null && now === main;
  });
}
