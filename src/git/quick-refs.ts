import { BoundedCache } from "../async/bounded-cache.ts";
import type { CloneSource } from "../hosts/host.ts";
import { openHttpClient, type Send } from "../http/client.ts";
import { PROXY_VARIABLES, TRUST_VARIABLES } from "./git.ts";
import { lsRefs, NoSuchCommand, type RemoteRefs, readAdvertisement, readRefList, type Server } from "./ls-refs.ts";
import { exchange, NoResponse } from "./smart-http.ts";

const MAX_ENTRIES = 10_000;
const ADVERTISEMENT_TTL_MS = 10 * 60_000;
const LEFT_TO_GIT_MS = 5 * 60_000;
/** ms without a byte. Git gets the rest of the time limit. */
const IDLE_TIMEOUT_MS = 10_000;
/** To one host, at a time. */
const CONNECTIONS = 16;

/** Settings of Node that change whom a TLS connection trusts, and that git does not know. */
const NODE_TRUST_VARIABLES = ["NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED"];

/**
 * Lists the refs of a host over HTTP without starting git, which takes a process and one more request. Whenever there
 * is no whole response, the caller asks git: only git's errors, trust, proxies and refusals count.
 */
export class QuickRefs {
  readonly #send: Send;
  /** Capabilities of the server, by URL. */
  readonly #servers: BoundedCache<Server>;
  /** URLs and origins that are left to git for a while. */
  readonly #leftToGit: BoundedCache<true>;

  constructor({ now = () => performance.now(), idleTimeout = IDLE_TIMEOUT_MS } = {}) {
    this.#send = openHttpClient({ idleTimeout, maxConnections: CONNECTIONS });
    this.#servers = new BoundedCache(MAX_ENTRIES, ADVERTISEMENT_TTL_MS, now);
    this.#leftToGit = new BoundedCache(MAX_ENTRIES, LEFT_TO_GIT_MS, now);
  }

  /** Returns what `git ls-remote` would list; null: ask git. @throws a signal's reason */
  async ask({ url, authorization }: CloneSource, signals: AbortSignal[]): Promise<RemoteRefs | null> {
    const { origin } = new URL(url);
    if (needsGit(url) || this.#leftToGit.get(url) || this.#leftToGit.get(origin)) return null;
    try {
      const server = this.#servers.get(url) ?? (await this.#advertisement(url, authorization, signals));
      const type = "application/x-git-upload-pack-result";
      const request = { url: `${folder(url)}git-upload-pack`, authorization, body: lsRefs(server), type };
      return readRefList(await exchange(this.#send, request, signals), server);
    } catch (error) {
      for (const signal of signals) signal.throwIfAborted();
      if (error instanceof NoResponse && error.affects === "nothing") return null;
      // Protocol version, reachability and trust are the same for all repos of a host.
      const affectsHost = error instanceof NoSuchCommand || (error instanceof NoResponse && error.affects === "host");
      this.#leftToGit.set(affectsHost ? origin : url, true);
      this.#servers.delete(url);
      return null;
    }
  }

  async #advertisement(url: string, authorization: string | null, signals: AbortSignal[]): Promise<Server> {
    const type = "application/x-git-upload-pack-advertisement";
    const request = { url: `${folder(url)}info/refs?service=git-upload-pack`, authorization, body: null, type };
    const server = readAdvertisement(await exchange(this.#send, request, signals));
    this.#servers.set(url, server);
    return server;
  }
}

/** Git alone handles proxies and configured trust. */
function needsGit(url: string): boolean {
  const trust = url.startsWith("https:") ? [...TRUST_VARIABLES, ...NODE_TRUST_VARIABLES] : [];
  return /[?#]/.test(url) || [...PROXY_VARIABLES, ...trust].some((name) => (process.env[name] ?? "") !== "");
}

function folder(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
