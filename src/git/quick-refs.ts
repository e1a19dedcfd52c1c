import { BoundedCache } from "../async/bounded-cache.ts";
import type { CloneSource } from "../hosts/host.ts";
import { PROXY_VARIABLES, TRUST_VARIABLES } from "./git.ts";
import { lsRefs, NoSuchCommand, type RemoteRefs, readAdvertisement, readRefList, type Server } from "./ls-refs.ts";
import { exchange, NoAnswer } from "./smart-http.ts";

const KEPT = 10_000;
const ADVERTISED_FOR = 10 * 60_000;
const UNFIT_FOR = 5 * 60_000;
/** ms without a byte; git can then have the rest of the time. */
const STALL = 10_000;

/**
 * Lists a host's refs by a request of our own, where `git ls-remote` would take a process and a request more. It is only ever quicker: what is
 * not a whole answer is left to git, whose errors, trust, proxies and refusals are the ones that count.
 */
export class QuickRefs {
  /** What the server of a URL said of itself. */
  readonly #servers: BoundedCache<Server>;
  /** URLs, and origins, that are left to git for a while. */
  readonly #unfit: BoundedCache<true>;

  readonly #stall: number;

  constructor({ now = () => performance.now(), stall = STALL } = {}) {
    this.#stall = stall;
    this.#servers = new BoundedCache(KEPT, ADVERTISED_FOR, now);
    this.#unfit = new BoundedCache(KEPT, UNFIT_FOR, now);
  }

  /** The same as `git ls-remote` lists; null: git must be asked. @throws the signal's reason */
  async ask({ url, authorization }: CloneSource, signals: AbortSignal[]): Promise<RemoteRefs | null> {
    const { origin } = new URL(url);
    if (isForGit(url) || this.#unfit.get(url) || this.#unfit.get(origin)) return null;
    try {
      const server = this.#servers.get(url) ?? (await this.#meet(url, authorization, signals));
      const type = "application/x-git-upload-pack-result";
      const question = { url: `${folder(url)}git-upload-pack`, authorization, body: lsRefs(server), answer: type };
      return readRefList(await exchange(question, signals, this.#stall), server);
    } catch (error) {
      for (const signal of signals) signal.throwIfAborted();
      if (error instanceof NoAnswer && error.of === "nothing") return null;
      // Which version a server speaks, and whether it can be reached and trusted, is the same for all its repos.
      const isOfHost = error instanceof NoSuchCommand || (error instanceof NoAnswer && error.of === "host");
      this.#unfit.set(isOfHost ? origin : url, true);
      this.#servers.delete(url);
      return null;
    }
  }

  async #meet(url: string, authorization: string | null, signals: AbortSignal[]): Promise<Server> {
    const type = "application/x-git-upload-pack-advertisement";
    const address = `${folder(url)}info/refs?service=git-upload-pack`;
    const question = { url: address, authorization, body: null, answer: type };
    const server = readAdvertisement(await exchange(question, signals, this.#stall));
    this.#servers.set(url, server);
    return server;
  }
}

/** How git goes through a proxy, and whom it trusts where it is told to, is not imitated. */
function isForGit(url: string): boolean {
  const trust = url.startsWith("https:") ? [...TRUST_VARIABLES, "NODE_EXTRA_CA_CERTS"] : [];
  return /[?#]/.test(url) || [...PROXY_VARIABLES, ...trust].some((name) => (process.env[name] ?? "") !== "");
}

function folder(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
