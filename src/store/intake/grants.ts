import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { UserError } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";
import type { Incoming } from "../incoming.ts";

/** What was pushed: in the store, whole. */
export interface Pushed {
  digest: Digest;
  mediaType: string;
  /** Bytes of manifests, configs and layers. */
  size: number;
}

/** One delivery's right to push into one repository of the intake. */
export interface Grant {
  /** What the engine is told: `<host>/<repository>:<tag>` is the reference to push. */
  host: string;
  repository: string;
  username: string;
  password: string;
  /**
   * What stands under the tag now; null: nothing. Ask it also after a push that failed: the engine's own message hides the reason.
   * @throws UserError `image-too-large` where the push went over the grant's limit
   */
  pushed(tag: string): Pushed | null;
  /** Ends the right and drops what was half sent. */
  revoke(): Promise<void>;
}

/** The intake's side of a grant. */
export interface GrantState {
  readonly repository: string;
  readonly secret: Buffer;
  readonly maxBytes: number;
  /** Bytes in finished and growing uploads. */
  usedBytes: number;
  tooLarge: boolean;
  readonly tags: Map<string, Pushed>;
  readonly manifests: Map<Digest, Pushed>;
  readonly uploads: Map<string, Upload>;
}

export interface Upload {
  incoming: Incoming;
  /** One request at a time writes to it. */
  busy: boolean;
}

/** All grants in force, by user name. */
export class Grants {
  readonly #held = new Map<string, GrantState>();

  issue(host: string, repository: string, maxBytes: number): Grant {
    const username = randomBytes(9).toString("hex");
    const password = randomBytes(32).toString("base64url");
    const holding: GrantState = {
      repository,
      secret: fingerprint(password),
      maxBytes,
      usedBytes: 0,
      tooLarge: false,
      tags: new Map(),
      manifests: new Map(),
      uploads: new Map(),
    };
    this.#held.set(username, holding);
    return {
      host,
      repository,
      username,
      password,
      pushed: (tag) => {
        if (holding.tooLarge) {
          throw new UserError(
            "image-too-large",
            `The image is larger than the ${maxBytes} bytes that one delivery may add: make it smaller, or raise the limit.`,
          );
        }
        return holding.tags.get(tag) ?? null;
      },
      revoke: async () => {
        this.#held.delete(username);
        await Promise.all([...holding.uploads.values()].map(({ incoming }) => incoming.discard()));
        holding.uploads.clear();
      },
    };
  }

  /** Who sent this `Authorization` header; null: nobody we know. */
  holder(authorization: string | undefined): GrantState | null {
    const encoded = /^Basic ([A-Za-z0-9+/=_-]{1,400})$/i.exec(authorization ?? "")?.[1];
    if (encoded === undefined) return null;
    const [username = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
    const holding = this.#held.get(username);
    const given = fingerprint(rest.join(":"));
    return holding && timingSafeEqual(given, holding.secret) ? holding : null;
  }

  async revokeAll(): Promise<void> {
    for (const { uploads } of this.#held.values()) {
      await Promise.all([...uploads.values()].map(({ incoming }) => incoming.discard()));
    }
    this.#held.clear();
  }
}

function fingerprint(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
