import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from "node:crypto";
import { newHook } from "./hooks.ts";
import type { Hook, Repo } from "./state.ts";

type Level = "read" | "write";
export type Permissions = Record<string, Level>;

/** What deliverd's documents ask for. */
const usualPermissions: Permissions = {
  actions: "read",
  administration: "read",
  checks: "write",
  contents: "read",
  metadata: "read",
  statuses: "read",
};

const usualEvents = ["push", "create", "status", "check_run", "check_suite", "workflow_run", "repository"];

/** A GitHub App, as its page on GitHub has it. */
export interface StandInApp {
  id: number;
  slug: string;
  /** PEM of PKCS#1, as GitHub gives it. */
  privateKey: string;
  publicKey: KeyObject;
  permissions: Permissions;
  events: string[];
  /** Its one webhook. */
  hook: Hook;
}

export interface Installation {
  readonly id: number;
  owner: string;
  ownerType: "Organization" | "User";
  /** Null: all repos of the owner. */
  repoIds: number[] | null;
  permissions: Permissions;
  suspendedAt: string | null;
  readonly createdAt: string;
  rateLimit: { limit: number; used: number; resetAt: number };
}

/** A token of an installation, which may be narrowed to some repos and permissions. */
export interface AppToken {
  installation: Installation;
  repoIds: number[] | null;
  permissions: Permissions;
  /** ms since the epoch. */
  expiresAt: number;
  /** So many more requests are answered 401: not every server of GitHub knows the token at once. */
  lag: number;
}

export interface NewApp {
  id?: number;
  slug?: string;
  permissions?: Permissions;
  events?: string[];
  /** PEM. Left out: the key of these tests. */
  privateKey?: string;
}

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
/** The key of these tests' Apps, in both forms that an App's key may have. */
export const testKeys = {
  pkcs1: keys.privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  pkcs8: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
};

const HOUR = 3_600_000;

/** The App that the stand-in knows, where it is installed, and the tokens that it was given. */
export class AppHouse {
  app: StandInApp | null = null;
  readonly installations: Installation[] = [];
  readonly tokens = new Map<string, AppToken>();
  /** Of each token that is made from now on. */
  lag = 0;
  /** Manifests that wait for their code to be exchanged. */
  readonly manifests = new Map<string, Record<string, unknown>>();

  create(wanted: NewApp, nextId: () => number, now: string): StandInApp {
    const privateKey = wanted.privateKey ?? testKeys.pkcs1;
    this.app = {
      id: wanted.id ?? nextId(),
      slug: wanted.slug ?? "acme-deliverd",
      privateKey,
      publicKey: createPublicKey(privateKey),
      permissions: wanted.permissions ?? { ...usualPermissions },
      events: wanted.events ?? [...usualEvents],
      hook: newHook(nextId(), now, {}),
    };
    return this.app;
  }

  /** Where the App is installed for this repo, or null. */
  of(repo: Pick<Repo, "id" | "owner">): Installation | null {
    const found = this.ofOwner(repo.owner);
    return found !== null && (found.repoIds === null || found.repoIds.includes(repo.id)) ? found : null;
  }

  ofOwner(owner: string): Installation | null {
    return this.installations.find((one) => one.owner.toLowerCase() === owner.toLowerCase()) ?? null;
  }

  /** A token of the form that GitHub gives since 2026: several hundred characters. */
  makeToken(installation: Installation, narrowed: Pick<AppToken, "repoIds" | "permissions">, now: number) {
    const token = `ghs_${this.app?.id}_${randomBytes(120).toString("base64url")}.${randomBytes(180).toString("base64url")}`;
    const made: AppToken = { installation, ...narrowed, expiresAt: now + HOUR, lag: this.lag };
    this.tokens.set(token, made);
    return { token, made };
  }

  /** Null: it is no token of an installation, or it has expired. */
  tokenOf(text: string, now: number): AppToken | null {
    const found = this.tokens.get(text);
    return found !== undefined && found.expiresAt > now ? found : null;
  }
}

/** Why GitHub does not take a token as the App's own signature; null: it does. @param now ms since the epoch */
export function jwtMistake(app: StandInApp, token: string, now: number): string | null {
  const parts = token.split(".");
  const [header, claims] = parts.slice(0, 2).map(decoded);
  const signed = Buffer.from(parts.slice(0, 2).join("."));
  const signature = Buffer.from(parts[2] ?? "", "base64url");
  if (parts.length !== 3 || header?.alg !== "RS256" || !verify("RSA-SHA256", signed, app.publicKey, signature)) {
    return "A JSON web token could not be decoded";
  }
  if (String(claims?.iss) !== String(app.id)) return "Integration must generate a public key";
  const [iat, exp, seconds] = [Number(claims?.iat), Number(claims?.exp), Math.floor(now / 1000)];
  if (!Number.isInteger(claims?.iat) || iat > seconds) {
    return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
  }
  if (!Number.isInteger(claims?.exp) || exp <= seconds) {
    return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
  }
  if (exp > seconds + 600) return "'Expiration time' claim ('exp') is too far in the future";
  return null;
}

function decoded(part: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** The permission of each call, by the path as GitHub's description spells it. Left out: a token of an App may not. */
const NEEDED: Record<string, [permission: string, level: Level]> = {
  "GET /repos/{owner}/{repo}": ["metadata", "read"],
  "GET /installation/repositories": ["metadata", "read"],
  "GET /repos/{owner}/{repo}/collaborators/{username}/permission": ["metadata", "read"],
  "GET /repos/{owner}/{repo}/rules/branches/{branch}": ["metadata", "read"],
  "GET /repos/{owner}/{repo}/branches/{branch}": ["contents", "read"],
  "GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks": ["administration", "read"],
  "GET /repos/{owner}/{repo}/commits/{ref}/statuses": ["statuses", "read"],
  "GET /repos/{owner}/{repo}/commits/{ref}/check-runs": ["checks", "read"],
  "GET /repos/{owner}/{repo}/commits/{ref}/check-suites": ["checks", "read"],
  "POST /repos/{owner}/{repo}/statuses/{sha}": ["statuses", "write"],
  "POST /repos/{owner}/{repo}/check-runs": ["checks", "write"],
  "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}": ["checks", "write"],
};

export function mayCall({ permissions }: AppToken, method: string, template: string): boolean {
  const [permission, level] = NEEDED[`${method} ${template}`] ?? [];
  if (permission === undefined) return false;
  const given = permissions[permission];
  return given === "write" || (given === "read" && level === "read");
}
