import * as z from "zod";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import { TransientError } from "../../../delivery/errors.ts";
import { time } from "../../payload.ts";
import type { HostClock } from "../../rest/meter.ts";
import { Declined, type GitHubApi } from "../api.ts";
import { readAnswer } from "../payload.ts";
import type { Installations } from "./installations.ts";

/** A token of an installation, for one purpose. */
export interface InstallationToken {
  /** Of any length: newer ones have several hundred characters. */
  token: string;
  /** ms since the epoch, by our clock. */
  madeAt: number;
  /** ms since the epoch, by GitHub's clock. */
  endsAt: number;
}

/** What a token is limited to. Left out: all that the installation has. */
export interface Narrowing {
  repository_ids?: number[];
  permissions?: Record<string, "read" | "write">;
}

export interface TokenParts {
  /** The key under `hosts`, for errors. */
  key: string;
  /** Logged in as the App. */
  app: GitHubApi;
  installations: Installations;
  clock: HostClock;
  now(): number;
  /** Gets each new token, so that no log shows it. */
  learn(secret: string): void;
}

/** A token lives for an hour. It is renewed so long (ms) before its end: a clone may take a while to begin. */
const RENEW_BEFORE_MS = 10 * 60_000;
const MAX_TOKENS = 2_000;

const tokenShape = z.object({ token: z.string().min(1), expires_at: time });

/** Tokens of the App's installations, made when they are needed, and kept until shortly before they end. */
export class InstallationTokens {
  readonly #parts: TokenParts;
  readonly #tokens = new BoundedCache<InstallationToken>(MAX_TOKENS);
  readonly #making = new Map<string, Promise<InstallationToken>>();

  constructor(parts: TokenParts) {
    this.#parts = parts;
  }

  /** @throws TransientError that says what a person has to do on GitHub, or that GitHub does not answer */
  async get(owner: string, narrowing: Narrowing): Promise<InstallationToken> {
    const { clock, now } = this.#parts;
    const id = idOf(owner, narrowing);
    const known = this.#tokens.get(id);
    if (known !== undefined && known.endsAt - RENEW_BEFORE_MS > now() + clock.ahead()) return known;
    const making = this.#making.get(id) ?? this.#make(owner, narrowing).finally(() => this.#making.delete(id));
    this.#making.set(id, making);
    return making;
  }

  /** GitHub has refused the token: the next caller gets a new one. */
  drop(owner: string, narrowing: Narrowing, { token }: InstallationToken): void {
    const id = idOf(owner, narrowing);
    if (this.#tokens.get(id)?.token === token) this.#tokens.delete(id);
  }

  async #make(owner: string, narrowing: Narrowing): Promise<InstallationToken> {
    const { installations, learn, now } = this.#parts;
    const installation = await installations.idOf(owner);
    if (installation === null) throw notInstalled(this.#parts.key, owner);
    const madeAt = now();
    const answer = await this.#ask(owner, installation, narrowing);
    const [made] = readAnswer("a token of an installation", tokenShape, [answer]);
    if (made === undefined) throw notInstalled(this.#parts.key, owner);
    learn(made.token);
    const token = { token: made.token, madeAt, endsAt: made.expires_at };
    this.#tokens.set(idOf(owner, narrowing), token);
    return token;
  }

  async #ask(owner: string, installation: number, narrowing: Narrowing): Promise<unknown> {
    const { app, installations } = this.#parts;
    const route = "POST /app/installations/{installation_id}/access_tokens";
    try {
      return await app.send(route, { installation_id: installation, ...narrowing });
    } catch (error) {
      if (!(error instanceof Declined)) throw error;
      // The id may be that of an installation before this one.
      installations.forget(owner);
      const renewed = error.status === 404 ? await installations.idOf(owner) : installation;
      if (renewed === null) throw notInstalled(this.#parts.key, owner);
      if (renewed === installation) throw this.#refusal(error, owner, narrowing);
      return await app.send(route, { installation_id: renewed, ...narrowing });
    }
  }

  #refusal({ status, message }: Declined, owner: string, { repository_ids, permissions }: Narrowing): TransientError {
    const { key } = this.#parts;
    if (isSuspension(status, message)) return suspended(key, owner);
    if (/permission/i.test(message) && permissions !== undefined) {
      const named = Object.entries(permissions).map(([name, level]) => `${name}: ${level}`);
      return new TransientError(
        "github-app-permission-missing",
        `The App of hosts.${key} lacks a permission in ${owner} (${named.join(", ")}): add it on the App's page on GitHub, ` +
          `then let an owner of ${owner} accept it.`,
      );
    }
    if (status === 422 && repository_ids !== undefined) {
      return new TransientError(
        "github-app-repo-not-selected",
        `The App of hosts.${key} is installed in ${owner}, but not for this repo: an owner of ${owner} selects it under ` +
          `Settings, GitHub Apps, Configure, Repository access (${status}, ${message}).`,
      );
    }
    return new TransientError(
      "github-app-token-refused",
      `GitHub gives the App of hosts.${key} no token for ${owner} (${status}): ${message}`,
    );
  }
}

function idOf(owner: string, narrowing: Narrowing): string {
  return JSON.stringify([owner.toLowerCase(), narrowing]);
}

function notInstalled(key: string, owner: string): TransientError {
  return new TransientError(
    "github-app-not-installed",
    `The App of hosts.${key} is not installed in ${owner}, or was uninstalled: install it from the App's page on GitHub ` +
      "(Install App), for the repos that deliverd is to deliver.",
  );
}

/** What GitHub answers of an installation that its owner, or GitHub, has suspended. */
export function isSuspension(status: number, message: string): boolean {
  return status === 403 && /suspended/i.test(message);
}

export function suspended(key: string, owner: string): TransientError {
  return new TransientError(
    "github-app-suspended",
    `The App of hosts.${key} is suspended in ${owner}: an owner of ${owner} lifts that under Settings, GitHub Apps, ` +
      "Configure, Unsuspend. Until then deliverd can do nothing there.",
  );
}
