import { Agent, request } from "node:http";
import { sql } from "kysely";
import { createAuth } from "../src/api/auth.ts";
import { apiRoute } from "../src/api/index.ts";
import { versionKey } from "../src/delivery/version-order.ts";
import { type Ledger, openLedger } from "../src/ledger/ledger.ts";
import { silentLog } from "../src/observe/log.ts";
import { createMask } from "../src/observe/mask.ts";
import { createApp, listen } from "../src/receiver/app.ts";
import { startPostgres } from "../test/support/databases/postgres.ts";
import { tempDir } from "../test/support/processes/process.ts";
import { alternate, type Bench, type Measure, withOpened } from "./bench.ts";
import { withoutIndexes } from "./past.ts";
import { type Row, toRow } from "./row.ts";

const REPOS = 2_000;
/** How many; fewer for whoever works on this row: `DELIVERD_BENCH_RELEASES=10000`. */
const RELEASES = Number(process.env.DELIVERD_BENCH_RELEASES ?? 1_000_000);
/** Requests of each kind in a round: enough for a p99. */
const REQUESTS = 200;
const WARM_UP = 10;
const TOKEN = "token-of-the-bench";

export const catalogSqlite: Measure = (bench) => catalog(bench, "sqlite", async () => undefined);

export const catalogPostgres: Measure = (bench) =>
  withOpened(async (open) => {
    const server = await open(startPostgres(), (one) => one.stop());
    return catalog(bench, "postgres", () => server.newDatabase());
  });

/** What people and programs ask a catalog for. `n` differs from request to request. */
const LISTS: Record<string, (n: number) => string> = {
  newest: () => "releases",
  "of-repo": (n) => `releases?repo=past/repo-${n % REPOS}`,
  "of-artifact": (n) => `releases?artifact=artifact-${n % REPOS}`,
  words: (n) => `releases?q=repo-${n % REPOS}`,
  "common-word": () => "releases?q=past",
  branch: () => "releases?branch=main",
  "rare-branch": (n) => `releases?branch=feature-${n % 50}`,
  range: (n) => `releases?version=${encodeURIComponent(`^0.${n % 500}.0`)}`,
  "wide-range": () => `releases?version=${encodeURIComponent(">=0.1 <9")}`,
  since: () => `releases?since=${new Date(Date.now() - 86_400_000).toISOString()}`,
  "deep-page": (n) => `releases?cursor=${Date.now() - 86_400_000 - n * 1_000_000}.x`,
  repos: () => "repos",
  artifacts: () => "artifacts",
  deliveries: () => "deliveries",
  audit: () => "audit",
};

async function catalog(bench: Bench, of: string, newDatabase: () => Promise<string | undefined>): Promise<Row[]> {
  return withOpened(async (open) => {
    const start = async (releases: number) => {
      const dir = await open(tempDir(), (one) => one.remove());
      const ledger = await open(openLedger({ dataDir: dir.path, databaseUrl: await newDatabase() }), (one) =>
        one.close(),
      );
      const begin = performance.now();
      await fill(ledger, releases);
      bench.say(`${releases} releases came into the ledger in ${Math.round((performance.now() - begin) / 1000)} s`);
      return open(serveLedger(ledger), (one) => one.close());
    };
    const full = await start(RELEASES);
    const empty = await start(REPOS);
    const rows: Row[] = [];
    for (const [name, pathOf] of Object.entries({ ...LISTS, latest: (n: number) => latest(n) })) {
      const measure = (server: Awaited<ReturnType<typeof serveLedger>>) => () => timesOf(server, pathOf);
      const figures = await alternate(bench, { "a full ledger": measure(full), "an empty ledger": measure(empty) });
      const goal = { of: "ours", is: "≤", bound: name === "latest" ? 10 : 50 } as const;
      const named = { row: `catalog-${of}-${name}`, beside: "an empty ledger", unit: "ms p99", goal };
      const p99s = (all: Times[] = []) => all.map(({ p99 }) => p99);
      rows.push(toRow(named, p99s(figures["a full ledger"]), p99s(figures["an empty ledger"])));
    }
    return rows;
  });
}

function latest(n: number): string {
  return `releases/artifact-${n % REPOS}/latest?repo=past/repo-${n % REPOS}`;
}

interface Server {
  get(path: string): Promise<void>;
  close(): Promise<void>;
}

async function serveLedger(ledger: Ledger): Promise<Server> {
  const unused = async () => {
    throw new Error("the bench only reads");
  };
  const api = apiRoute({
    ledger,
    auth: createAuth({ adminToken: TOKEN, anonymous: "none", secureCookie: false }),
    registries: new Map(),
    requestCommit: unused,
    ci: { hosts: new Map(), keep: unused },
    isConfigured: () => true,
    rulesOf: unused,
    compareCommits: async () => null,
    statuses: { config: { publicUrl: "http://127.0.0.1" }, mask: createMask([]) },
    onDeliveryChanged: () => {},
  });
  const app = createApp({ health: (_request, _response, next) => next(), api, log: silentLog });
  const { port, close } = await listen(app, { port: 0, address: "127.0.0.1" });
  const agent = new Agent({ keepAlive: true });
  const headers = { authorization: `Bearer ${TOKEN}` };
  return {
    get: (path) =>
      new Promise((resolve, reject) => {
        request({ host: "127.0.0.1", port, path: `/api/v1/${path}`, headers, agent }, (response) => {
          response.resume().on("end", () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(`${path} is answered ${response.statusCode}`));
          });
        })
          .on("error", reject)
          .end();
      }),
    close: async () => {
      agent.destroy();
      await close(0);
    },
  };
}

/** ms. The median is only shown: on a busy machine it says more. */
interface Times {
  p99: number;
  median: number;
}

async function timesOf(server: Server, pathOf: (n: number) => string): Promise<Times> {
  const times: number[] = [];
  for (let n = 0; n < REQUESTS + WARM_UP; n++) {
    const begin = performance.now();
    await server.get(pathOf(n * 7 + 1));
    if (n >= WARM_UP) times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  const at = (part: number) => Number((times[Math.ceil(part * times.length) - 1] ?? Number.NaN).toFixed(2));
  return { p99: at(0.99), median: at(0.5) };
}

/** Makes releases of 2,000 repos, one artifact each, in the last 100 days. SQL makes the rows. */
async function fill(ledger: Ledger, releases: number): Promise<void> {
  await ledger.db
    .connection()
    .execute((db) => withoutIndexes({ ...ledger, db }, () => fillTables({ ...ledger, db }, releases)));
  const one = await ledger.db.selectFrom("releaseVersions").selectAll().limit(1).executeTakeFirstOrThrow();
  if (one.sortKey !== versionKey(one.version)) throw new Error("the bench makes other keys than deliverd");
  if (ledger.dialect === "postgres") await sql`vacuum analyze`.execute(ledger.db);
}

async function fillTables({ db, dialect }: Ledger, releases: number): Promise<void> {
  const isSqlite = dialect === "sqlite";
  const run = (text: string) => sql.raw(text).execute(db);
  const pad = (text: string, width: number) =>
    isSqlite ? `substr('${"0".repeat(width)}' || ${text}, -${width})` : `lpad(${text}, ${width}, '0')`;
  const hex = isSqlite ? "lower(hex(randomblob(20)))" : "md5(n::text) || substr(md5((-n)::text), 1, 8)";
  const now = Date.now();
  const step = Math.floor((100 * 86_400_000) / releases);
  await run(`create table made as with recursive numbers(n) as
      (select cast(1 as bigint) union all select n + 1 from numbers where n < ${releases})
      select n, ${hex} as sha, n % ${REPOS} as r, 'd' || ${pad("cast(n as text)", 11)} as delivery,
        'r' || ${pad("cast(n as text)", 23)} as id, ${now} - (${releases} - n) * cast(${step} as bigint) as at,
        '0.' || (n / ${REPOS}) || '.' || (n % 7) as version,
        case when n % 997 = 0 then 'refs/heads/feature-' || (n % 50) else 'refs/heads/main' end as ref from numbers`);
  const first = `where n <= ${REPOS}`;
  const repo = "'github:past-' || r";
  await run(`insert into repos (id, host, owner, name, default_branch, active_at, created_at, served_at)
      select ${repo}, 'github', 'past', 'repo-' || r, 'main', at, at, 0 from made ${first}`);
  await run(
    `insert into repo_names (host, full_name, repo_id) select 'github', 'past/repo-' || r, ${repo} from made ${first}`,
  );
  await run(`insert into deliveries (id, repo_id, sha, ref, state, because, version, message, author, committed_at,
        created_at, started_at, finished_at, updated_at)
      select delivery, ${repo}, sha, ref, 'delivered', 'released', version, 'Change it', 'Sam', at, at, at, at, at from made`);
  await run(`insert into heads (repo_id, ref, sha, seen_at) select ${repo}, ref, sha, at from made`);
  await run(`insert into releases (id, repo_id, sha, artifact, variant, kind, version, digest, media_type, size, ref,
        delivery_id, committed_at, released_at, metadata)
      select id, ${repo}, sha, 'artifact-' || r, '', 'image', version, 'sha256:' || ${pad("id", 64)}, 'm', 1, ref, delivery,
        at, at, '{}' from made`);
  await run(`insert into locations (registry, repository, tag, immutable, delivery_id, artifact, repo_id, digest, url, pull, at)
      select 'hub', 'past/repo-' || r, version || '-' || n, 1, delivery, 'artifact-' || r, ${repo},
        'sha256:' || ${pad("id", 64)}, 'u', 'p', at from made`);
  await run(`insert into release_versions (repo_id, artifact, version, release_id, tagged, at, sort_key)
      select ${repo}, 'artifact-' || r, version, id, 0, at, ${keyInSql()} from made`);
  for (const [table, column, more] of [
    ["released_artifacts", "", ""],
    ["latest_releases", "", ""],
    ["branch_releases", ", ref", ", 'refs/heads/main'"],
  ])
    await run(`insert into ${table} (repo_id, artifact${column}, release_id)
        select ${repo}, 'artifact-' || r${more}, id from made where n > ${releases - REPOS}`);
  await run(`insert into audit (at, person, via, action, repo_id, sha, outcome)
      select at, 'ci', 'token', 'retry', ${repo}, sha, 'it is tried again' from made where n % 10 = 0`);
  await run("drop table made");
}

/** `versionKey` of `0.<minor>.<patch>`. */
function keyInSql(): string {
  const number = (value: string) => `substr('abcdefgh', length(cast(${value} as text)), 1) || cast(${value} as text)`;
  return `'a0' || ${number(`(n / ${REPOS})`)} || ${number("(n % 7)")} || '~'`;
}
