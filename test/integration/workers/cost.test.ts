import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KyselyPlugin, RootOperationNode } from "kysely";
import type { Host } from "../../../src/hosts/host.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import type { Ledger, Tx } from "../../../src/ledger/ledger.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

/** What was asked, in its order. */
interface Cost {
  queries: string[];
  git: string[];
  host: string[];
}

describe("What one commit costs", function () {
  this.timeout(60_000);
  let at: TestStation;
  let dir: TempDir;
  const path = process.env.PATH;
  const queries: string[] = [];
  const hostCalls: string[] = [];
  const story = storyOf(() => at);

  before(async () => {
    at = await startStation();
    at.station.ledger = countedLedger(at.station.ledger, queries);
    at.station.hosts = new Map([["github", countedHost(at.host, hostCalls)]]);
    dir = await tempDir();
    // Each git writes down what it was asked.
    const bin = join(dir.path, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "git"), `#!/bin/bash\necho "$1" >> ${dir.path}/calls\nPATH='${path}' exec git "$@"\n`);
    await chmod(join(bin, "git"), 0o755);
    process.env.PATH = `${bin}:${path}`;
  });
  after(async () => {
    process.env.PATH = path;
    await at.close();
    await dir.remove();
  });

  /** Runs the work, and collects what it asked. */
  async function cost(work: () => Promise<unknown>): Promise<Cost> {
    queries.length = 0;
    hostCalls.length = 0;
    await writeFile(join(dir.path, "calls"), "");
    await work();
    const git = (await readFile(join(dir.path, "calls"), "utf8")).split("\n").filter((verb) => verb !== "");
    return { queries: [...queries], git, host: [...hostCalls] };
  }

  /**
   * Read once more on purpose, and counted here: the delivery after the sync (a person may have cancelled it), refs, CI
   * and the repo's identity at the gate (they may have changed during the build), the fence before each write, the
   * lease before each name, the delivery after its attempt (hints may have come).
   */
  it("is bounded in ledger queries, git runs and calls of the host", async () => {
    await at.repo.commit({ ".deliverd.yml": pipeline() });
    // The first commit clones the mirror.
    await story.played(await at.repo.commit({ file: "first" }));
    const sha = await at.repo.commit({ file: "second" });
    await recordHeads(at.station.ledger, REPO, [{ ref: "refs/heads/main", sha }]);
    const evaluation = await cost(() => story.look(sha));
    const delivery = await cost(() => story.deliver());
    assert.match(await story.stands(sha), /^delivered/);
    const again = await cost(() => story.look(sha));
    // On a slow machine, the process that reads objects may end, idle for a second, and be started once more.
    assertAtMost(evaluation, { queries: 15, git: 3 + 1, host: 2 });
    // A machine so slow that the lease is renewed asks twice more.
    assertAtMost(delivery, { queries: 83 + 2, git: 2 + 1, host: 2 });
    assertAtMost(again, { queries: 13, git: 0, host: 2 });
  });
});

function assertAtMost(found: Cost, most: Record<keyof Cost, number>): void {
  for (const [kind, calls] of Object.entries(found)) {
    const limit = most[kind as keyof Cost];
    assert.ok(calls.length <= limit, `${calls.length} of ${kind}, at most ${limit}:\n${calls.join("\n")}`);
  }
}

function countedLedger(ledger: Ledger, queries: string[]): Ledger {
  const asked = new WeakMap<object, string>();
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      asked.set(queryId, describeQuery(node));
      return node;
    },
    // A query inside another has no result of its own. The log is written by the clock.
    transformResult: async ({ result, queryId }) => {
      const query = asked.get(queryId) ?? "";
      if (query !== "Insert logs") queries.push(query);
      return result;
    },
  };
  const db = ledger.db.withPlugin(plugin);
  return {
    ...ledger,
    db,
    transaction: (work) =>
      db.transaction().execute((trx) => {
        const { dialect, emit } = ledger;
        const tx: Tx = { db: trx, dialect, emit, transaction: (inner) => inner(tx) };
        return work(tx);
      }),
  };
}

function describeQuery(node: RootOperationNode): string {
  const table = /"table":\{"kind":"SchemableIdentifierNode","identifier":\{"kind":"IdentifierNode","name":"(\w+)"/.exec(
    JSON.stringify(node, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  );
  return `${node.kind.replace(/QueryNode$/, "")} ${table?.[1] ?? ""}`;
}

function countedHost(host: TestStation["host"], calls: string[]): Host {
  return new Proxy(host as Host, {
    get: (target, key) => {
      calls.push(String(key));
      return Reflect.get(target, key) as unknown;
    },
  });
}
