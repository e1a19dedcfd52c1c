import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { UserError } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";
import type { Incoming } from "../incoming.ts";

/** A pushed image. It is complete in the store. */
export interface Pushed {
  digest: Digest;
  mediaType: string;
  /** Bytes of all manifests, configs and layers. */
  size: number;
}

/** The right of one delivery to push into one repository of the intake. */
export interface Grant {
  /** For the engine: it pushes `<host>/<repository>:<tag>`. */
  host: string;
  repository: string;
  username: string;
  password: string;
  /**
   * What was pushed under the tag. Null: nothing. Ask also after a failed push: the engine's message hides the reason.
   * @throws UserError `image-too-large` if the push went over the grant's limit
   */
  pushed(tag: string): Pushed | null;
  /** Ends the right, and removes incomplete uploads. */
  revoke(): Promise<void>;
}

/** The state of a grant in the intake. */
export interface GrantState {
  readonly repository: string;
  readonly secret: Buffer;
  readonly maxBytes: number;
  /** Bytes of finished and current uploads. */
  usedBytes: number;
  tooLarge: boolean;
  readonly tags: Map<string, Pushed>;
  readonly manifests: Map<Digest, Pushed>;
  readonly uploads: Map<string, Upload>;
}

export interface Upload {
  incoming: Incoming;
  /** A request is writing to it. Only one may at a time. */
  busy: boolean;
}

/** All valid grants, by user name. */
export class Grants {
  readonly #held = new Map<string, GrantState>();

  issue(host: string, repository: string, maxBytes: number): Grant {
    const username = randomBytes(9).toString("hex");
    const password = randomBytes(32).toString("base64url");
    const state: GrantState = {
      repository,
      secret: fingerprint(password),
      maxBytes,
      usedBytes: 0,
      tooLarge: false,
      tags: new Map(),
      manifests: new Map(),
      uploads: new Map(),
    };
    this.#held.set(username, state);
    return {
      host,
      repository,
      username,
      password,
      pushed: (tag) => {
        if (state.tooLarge) {
          throw new UserError(
            "image-too-large",
            `The image is larger than the ${maxBytes} bytes that one delivery may add: ` +
              "make it smaller, or raise the limit.",
          );
        }
        return state.tags.get(tag) ?? null;
      },
      revoke: async () => {
        this.#held.delete(username);
        await Promise.all([...state.uploads.values()].map(({ incoming }) => incoming.discard()));
        state.uploads.clear();
      },
    };
  }

  /** The grant of an `Authorization` header. Null: there is none. */
  holder(authorization: string | undefined): GrantState | null {
    const encoded = /^Basic ([A-Za-z0-9+/=_-]{1,400})$/i.exec(authorization ?? "")?.[1];
    if (encoded === undefined) return null;
    const [username = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
    const state = this.#held.get(username);
    const given = fingerprint(rest.join(":"));
    return state && timingSafeEqual(given, state.secret) ? state : null;
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
