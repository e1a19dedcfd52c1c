import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactName, Digest, Location, RegistryName } from "../../../src/delivery/types.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import type { Network } from "../machine/network.ts";
import type { Actor, Scheduler } from "../machine/scheduler.ts";
import type { SimStore } from "./store.ts";

/** A write of a name, as it arrives at the registry. */
export interface NameWrite {
  registry: string;
  repository: string;
  tag: string;
  digest: Digest;
  before: Digest | null;
  writer: Actor;
}

/** A registry as it is. It compares nothing before it writes. */
export class RegistryServer {
  readonly key: string;
  readonly #blobs = new Set<string>();
  readonly #tags = new Map<string, Digest>();
  readonly #onWrite: (write: NameWrite) => void;
  /** Names of somebody else. */
  readonly squatted = new Map<string, Digest>();
  downUntil = 0;

  constructor(key: string, onWrite: (write: NameWrite) => void) {
    this.key = key;
    this.#onWrite = onWrite;
  }

  /** Every name with its content, by `<repository>:<tag>`. */
  get tags(): ReadonlyMap<string, Digest> {
    return this.#tags;
  }

  has(repository: string, digest: Digest): boolean {
    return this.#blobs.has(`${repository} ${digest}`);
  }

  keep(repository: string, digest: Digest): void {
    this.#blobs.add(`${repository} ${digest}`);
  }

  write({ repository, tag }: RegistryName, digest: Digest, writer: Actor): void {
    if (!this.has(repository, digest)) throw new TransientError("blob-unknown", `${digest} is not in ${repository}`);
    const name = `${repository}:${tag}`;
    const before = this.#tags.get(name) ?? null;
    this.#tags.set(name, digest);
    this.#onWrite({ registry: this.key, repository, tag, digest, before, writer });
  }

  /** Somebody else takes a name, past deliverd. @returns false if it is taken already */
  squat(name: string, digest: Digest): boolean {
    if (this.#tags.has(name)) return false;
    this.#tags.set(name, digest);
    this.squatted.set(name, digest);
    return true;
  }
}

interface Ports {
  scheduler: Scheduler;
  network: Network;
  store: SimStore;
}

const LATENCY = [5, 150] as const;
const PATIENCE_MS = 15_000;

/** A process's client of a registry: an adapter as src/registries/registry.ts describes it. */
export function registryClient(server: RegistryServer, caller: Actor, { scheduler, network, store }: Ports): Registry {
  const failure = (why: string) => new TransientError("registry-unreachable", `${server.key} does not answer: ${why}`);
  const ask = <T>(what: string, signal: AbortSignal, serve: () => T): Promise<T> =>
    network.call({
      ...{ caller, to: `registry ${server.key}: ${what}`, failure, signal },
      ...{ latency: LATENCY, patience: PATIENCE_MS, mayRepeat: true },
      serve: () => {
        if (scheduler.now < server.downUntil) throw failure("it is down");
        return serve();
      },
    });
  const read = (name: RegistryName, signal: AbortSignal) =>
    ask("read a name", signal, () => server.tags.get(`${name.repository}:${name.tag}`) ?? null);
  const send = async (repository: string, digest: Digest, signal: AbortSignal): Promise<void> => {
    if (await ask("look for a blob", signal, () => server.has(repository, digest))) return;
    if (!(await store.has(digest))) throw new TransientError("content-gone", `the store no longer has ${digest}`);
    await ask("send a blob", signal, () => server.keep(repository, digest));
  };
  return {
    check: async () => {},
    async find(name, run) {
      const digest = await read(name, run.signal);
      return digest === null ? null : { digest };
    },
    upload: ({ digest }, name, run) => send(name.repository, digest, run.signal),
    async publish({ digest }, name, run) {
      const found = await read(name, run.signal);
      if (found === digest) return locationOf(name, digest);
      if (found !== null && name.immutable) throw taken(name, found);
      await send(name.repository, digest, run.signal);
      await ask("write a name", run.signal, () => server.write(name, digest, caller));
      const there = await read(name, run.signal);
      if (there !== digest) throw new TransientError("read-back", `${name.tag} holds ${there} after it was written`);
      return locationOf(name, digest);
    },
    async restore(name, run, { digest }) {
      const isThere = await ask("fetch content", run.signal, () => server.has(name.repository, digest));
      if (isThere) store.add(digest);
      return isThere;
    },
    pull: async () => {
      throw new Error("nothing is pulled here");
    },
  };
}

function locationOf({ registry, repository, tag }: ArtifactName, digest: Digest): Location {
  const url = `https://${registry}.example/${repository}@${digest}`;
  return { registry, repository, tag, digest, url, pull: `docker pull ${url}` };
}

function taken({ registry, repository, tag }: ArtifactName, found: Digest): Refused {
  return new Refused("name-taken", `${repository}:${tag} in ${registry} holds ${found}`);
}
