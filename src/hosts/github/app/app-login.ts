import type { KeyObject } from "node:crypto";
import { TransientError } from "../../../delivery/errors.ts";
import type { HostClock } from "../../rest/meter.ts";
import type { Login } from "../login.ts";
import { appJwt } from "./private-key.ts";

export interface AppIdentity {
  /** The key under `hosts`, for errors. */
  key: string;
  appId: number;
  privateKey: KeyObject;
  /** ms since the epoch, by our clock. */
  now(): number;
}

/**
 * Logs in as the App itself, which may ask for its installations and its webhook, and for nothing in a repo. If our clock
 * is off, the first answer tells GitHub's, and the call is signed once more.
 */
export function appLogin({ key, appId, privateKey, now }: AppIdentity, clock: HostClock): Login {
  let sent: string | null = null;
  let signedAhead = 0;
  return {
    async authorization() {
      signedAhead = clock.ahead();
      sent = appJwt(appId, privateKey, now() + signedAhead);
      return `Bearer ${sent}`;
    },
    secret: () => sent,
    waitAfterRefusal: (refusals) => (refusals === 0 && clock.ahead() !== signedAhead ? 0 : null),
    failure: (status, message) =>
      status === 401 || (status === 404 && /integration not found/i.test(message))
        ? new TransientError(
            "github-app-refused",
            `GitHub does not take hosts.${key}.app (${status}, ${message}): check that app.id is the App ID that its page on ` +
              "GitHub shows, and that the private key has not been deleted there.",
          )
        : null,
  };
}
