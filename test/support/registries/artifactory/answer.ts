import { createHash } from "node:crypto";

/** What Artifactory says when it says no. */
export class No extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Checksums {
  md5: string;
  sha1: string;
  sha256: string;
}

export function checksumsOf(bytes: Buffer): Checksums {
  const hex = (name: string) => createHash(name).update(bytes).digest("hex");
  return { md5: hex("md5"), sha1: hex("sha1"), sha256: hex("sha256") };
}

/** Nothing but what needs no encoding, or an encoding. */
const ENCODED = /^(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*$/;

export function decoded(text: string, what: string): string {
  if (!ENCODED.test(text)) throw new No(400, `${what} is not URL-encoded: ${text}`);
  try {
    return decodeURIComponent(text);
  } catch {
    throw new No(400, `${what} is not UTF-8: ${text}`);
  }
}

/** "Set Item Properties": forbidden in a key. */
const FORBIDDEN = /[)(}{\][*+^$\\/~`!@#%&<>;=,±§ ]/;

export function demandKey(key: string): string {
  if (key === "" || FORBIDDEN.test(key))
    throw new No(400, `the property key ${JSON.stringify(key)} holds what it may not`);
  return key;
}
