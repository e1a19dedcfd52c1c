import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Builder, BuildOrder, FilesOrder } from "../../../src/builders/builder.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { Refused } from "../../../src/delivery/errors.ts";
import type { ArtifactName, Check, FrozenFile, Verdict } from "../../../src/delivery/types.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Queues } from "../../../src/queue/queues.ts";
import type { Registry, StampedContent } from "../../../src/registries/registry.ts";
import { systemClock } from "../../../src/run/clock.ts";
import { freezeFiles } from "../../../src/store/files.ts";
import { Store } from "../../../src/store/store.ts";
import { BuildSlots } from "../../../workers/build-slots.ts";
import { openRecentGreen } from "../../../workers/commit/recent-green.ts";
import { openIdentities } from "../../../workers/commit/repo-identity.ts";
import type { Station } from "../../../workers/station.ts";
import { acmeApi, withRepo } from "../../support/databases/ledgers.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testSigner } from "../../support/fixtures/station.ts";
import { startGitHost, type WorkTree } from "../../support/hosts/git-host.ts";

/** A registry that keeps what it is given, as the port asks it to. */
export interface Kept extends Registry {
  /** By `<repository>:<tag>`. */
  names: Map<string, StampedContent>;
  /** Every name that was published, again and again. */
  published: string[];
}

export interface TestStation {
  station: Station;
  /** acme/api on its host. */
  repo: WorkTree;
  /** What its host answers. Replace it at will: left alone, every commit is green. */
  host: Pick<Host, "findRepo" | "ciState" | "cloneSource">;
  registries: Record<"npm" | "files" | "local", Kept>;
  /** One more repo of acme on the same host. */
  another(id: string, name: string): Promise<WorkTree>;
  /** Versions that were built, by artifact, in their order. */
  built: string[];
  close(): Promise<void>;
}

const CONFIG = `
hosts: { github: { type: github, webhookSecret: s3cret, cloneUrl: "https://git.example.com" } }
repos: [acme/*]
registries:
  npm: { type: npm, url: "https://npm.example.com", token: s3cret }
  files: { type: http, url: "https://files.example.com" }
  local: { type: oci, url: "https://local.example.com" }
`;

/** A worker's station: ledger, mirror and store are real, host, engine and registries are not. */
export async function startStation(): Promise<TestStation> {
  const world = await startGitHost();
  const configFile = join(world.path, "deliverd.yml");
  await writeFile(configFile, CONFIG);
  const config = { ...loadServerConfig({ path: configFile, env: {} }), dataDir: join(world.path, "data") };
  const ledger = await withRepo(await openLedger({ dataDir: config.dataDir }));
  const repo = await world.repo("api");
  const store = new Store(config.dataDir);
  const registries = { npm: keeper("npm"), files: keeper("files"), local: keeper("local") };
  const built: string[] = [];
  const ids = new Map([["api", "1"]]);
  const trees = new Map<string, WorkTree>();
  const host: TestStation["host"] = {
    findRepo: async (_owner, name) => ({ hostId: ids.get(name) ?? "", owner: "acme", name, defaultBranch: "main" }),
    cloneSource: async ({ name }) => (name === "api" ? repo : trees.get(name))?.source ?? repo.source,
    ciState: async () => ci("green"),
  };
  const queues: Queues = {
    add: async () => true,
    ping: async () => true,
    countWaiting: async () => 0,
    close: async () => {},
  };
  const images: Builder<BuildOrder> = {
    build: async () => ({ ...(await freezeImage(store, { layers: [100] })), bases: [] }),
  };
  const station: Station = {
    ...{
      config,
      ledger,
      queues,
      store,
      mirrors: world.mirrors,
      identities: openIdentities(),
      recentGreen: openRecentGreen(),
      signer: testSigner(),
      notifiers: [],
      log: silentLog,
      clock: systemClock,
    },
    hosts: new Map([["github", host as Host]]),
    registries: new Map(Object.entries(registries)),
    builders: { image: images, files: packer(store, built) },
    engine: { caches: { list: async () => [], remove: async () => false }, removeLeftovers: async () => {} },
    buildSlots: new BuildSlots(config.workers.slots),
    mask: createMask([]),
    drift: createMetrics().counter("drift", "Drift."),
    preparedSeconds: createMetrics().counter("ahead", "Ahead."),
    stageSeconds: createMetrics().histogram("stage", "Stage.", []),
    queueWait: createMetrics().histogram("wait", "Wait.", []),
    ...{ owner: "tests/1", storeId: "here", tmp: join(world.path, "tmp") },
  };
  return {
    ...{ station, repo, host, registries, built },
    async another(id, name) {
      ids.set(name, id.slice("github:".length));
      await ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id, name }]));
      const tree = await world.repo(name);
      trees.set(name, tree);
      return tree;
    },
    async close() {
      await ledger.close();
      await world.close();
    },
  };
}

/** What a host says of a commit on which the check `test` ran. */
export function ci(verdict: Verdict, because = `check test is ${verdict}`): Awaited<ReturnType<Host["ciState"]>> {
  const state = verdict === "green" ? "passed" : verdict === "red" ? "failed" : "pending";
  const check: Check = { name: "test", source: "check-run", state, app: null, detail: "", at: 0 };
  return { verdict, because, checks: [check], retryAt: null };
}

/** Makes of each artifact what its kind is: a package says its version in its bytes, a plain file says nothing. */
function packer(store: Store, built: string[]): Builder<FilesOrder> {
  const put = async (name: string, text: string): Promise<FrozenFile> => {
    return { name, ...(await store.write(Readable.from([Buffer.from(text)]), { maxBytes: text.length })) };
  };
  return {
    async build({ artifact, environment }) {
      const version = environment.DELIVERD_VERSION ?? "";
      built.push(`${artifact.name} ${version}`);
      if (artifact.kind !== "npm") {
        return {
          ...(await freezeFiles(store, [await put("tool.bin", "a tool"), await put("NOTICE", "notes")])),
          bases: [],
        };
      }
      const frozen = await freezeFiles(store, [await put(`hello-${version}.tgz`, `hello ${version}`)]);
      return { ...frozen, package: { name: "@acme/hello", version }, bases: [] };
    },
  };
}

function keeper(key: string): Kept {
  const names = new Map<string, StampedContent>();
  const published: string[] = [];
  const at = ({ repository, tag }: ArtifactName) => `${repository}:${tag}`;
  return {
    ...{ names, published },
    check: async () => {},
    find: async (name) => names.get(at(name)) ?? null,
    async publish(content, name) {
      const stands = names.get(at(name));
      const isTaken = stands !== undefined && stands.digest !== content.digest;
      if (isTaken && name.immutable) throw new Refused("name-taken", `another tool wrote ${at(name)}`);
      names.set(at(name), content);
      published.push(at(name));
      return {
        registry: key,
        ...{ repository: name.repository, tag: name.tag },
        digest: content.digest,
        url: `https://${key}.example.com/`,
        pull: "pull",
      };
    },
    restore: async () => false,
    pull: async () => {},
  };
}
