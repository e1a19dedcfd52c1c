import { TransientError } from "../../../delivery/errors.ts";
import type { Login } from "../login.ts";
import { type InstallationToken, type InstallationTokens, isSuspension, type Narrowing, suspended } from "./tokens.ts";

/**
 * GitHub's servers learn of a new token within about five seconds: until then they may answer 401. Multiples of the base
 * of waits: 0.5 s, 1 s, 1.5 s and 2 s, five seconds in all.
 */
const WAITS = [1, 2, 3, 4];
const FRESH_MS = 5_000;

export interface InstallationLoginOptions {
  key: string;
  owner: string;
  narrowing: Narrowing;
  tokens: InstallationTokens;
  now(): number;
}

/** Logs in as an installation of the App, with a token for one purpose. */
export function installationLogin({ key, owner, narrowing, tokens, now }: InstallationLoginOptions): Login {
  let sent: InstallationToken | null = null;
  return {
    async authorization() {
      sent = await tokens.get(owner, narrowing);
      return `token ${sent.token}`;
    },
    secret: () => sent?.token ?? null,
    waitAfterRefusal(refusals, base) {
      if (sent === null) return null;
      const wait = WAITS[refusals];
      // An older one was revoked, or the App was installed anew.
      const isOld = now() - sent.madeAt > FRESH_MS;
      if (isOld || wait === undefined) tokens.drop(owner, narrowing, sent);
      if (wait === undefined) return null;
      return isOld ? 0 : wait * base;
    },
    failure(status, message) {
      if (isSuspension(status, message)) return suspended(key, owner);
      if (status !== 401) return null;
      return new TransientError(
        "github-app-token-refused",
        `GitHub refuses the token that it gave the App of hosts.${key} for ${owner} (${message}). deliverd asks for a new one.`,
      );
    },
  };
}
