import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { type TempDir, tempDir } from "../processes/process.ts";
import { type Postgres, startPostgres } from "./postgres.ts";

let shared: Promise<Postgres> | undefined;

/** One server for the whole run: starting it costs more than all that is asked of it. */
export function sharedPostgres(): Promise<Postgres> {
  shared ??= startPostgres();
  return shared;
}

after(async () => {
  await (await shared)?.stop();
});

/** What openLedger is given: another process can open the same. */
export interface Place {
  dataDir: string;
  databaseUrl?: string;
}

/**
 * Describes the same on SQLite and on PostgreSQL. Each test has a store of its own; `open` opens it, each time over another
 * connection, and what was opened is closed after the test.
 */
export function eachLedger(
  describeIt: (name: "SQLite" | "PostgreSQL", open: () => Promise<Ledger>, place: () => Place) => void,
): void {
  for (const name of ["SQLite", "PostgreSQL"] as const) {
    describe(`on ${name}`, () => {
      let current: Place | undefined;
      let leave: (() => Promise<void>)[] = [];
      const place = () => {
        if (current === undefined) throw new Error("only inside a test");
        return current;
      };
      const open = async () => {
        const ledger = await openLedger(place());
        leave.unshift(() => ledger.close());
        return ledger;
      };
      beforeEach(async () => {
        const directory = await tempDir();
        leave = [() => directory.remove()];
        current = { dataDir: directory.path };
        if (name === "SQLite") return;
        const server = await sharedPostgres();
        const databaseUrl = await server.newDatabase();
        leave.unshift(() => server.dropDatabase(databaseUrl));
        current = { dataDir: directory.path, databaseUrl };
      });
      afterEach(async () => {
        for (const step of leave) await step();
      });
      describeIt(name, open, place);
    });
  }
}

export const REPO = "github:1";
export const SHA = "a".repeat(40);
export const OTHER_SHA = "b".repeat(40);

/** acme/api, as a webhook names it. */
export const acmeApi = { id: REPO, host: "github", owner: "acme", name: "api", defaultBranch: "main" };

/** Most rows belong to a repo: this one. */
export async function withRepo(ledger: Ledger): Promise<Ledger> {
  await ledger.transaction((tx) => saveRepos(tx, [acmeApi]));
  return ledger;
}

/** Call it inside a `describe`: each test gets a new SQLite ledger, closed after it, which knows the repo acme/api. */
export function useLedger(): { ledger: Ledger } {
  const suite = {} as { ledger: Ledger };
  let directory: TempDir;
  beforeEach(async () => {
    directory = await tempDir();
    suite.ledger = await withRepo(await openLedger({ dataDir: directory.path }));
  });
  afterEach(async () => {
    await suite.ledger?.close();
    await directory?.remove();
  });
  return suite;
}
