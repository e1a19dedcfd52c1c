import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { keyIdOf } from "../../delivery/proof/dsse.ts";
import {
  followKeyLists,
  type ListedKey,
  type PublishedKeys,
  readPublishedKeys,
} from "../../delivery/proof/key-list.ts";
import type { TrustedKey } from "../../proof/verify-bundle.ts";
import { EXIT, Failure } from "../exit.ts";

export type TrustedKeys = Map<string, TrustedKey>;

/**
 * The keys that a verifier trusts: those of the files, and the keys that a server's lists name after them. Without a
 * file, the server is trusted for its own list.
 * @param files public keys in PEM, or saved lists of keys
 * @param published the server's list; null: no server is asked
 * @throws Failure
 */
export async function trustedKeys(files: readonly string[], published: PublishedKeys | null): Promise<TrustedKeys> {
  const given = await Promise.all(files.map(readKeys));
  const own: TrustedKeys = new Map(given.flatMap((keys) => [...keys]));
  if (published === null) return own;
  if (own.size === 0) return fromList(published.keys);
  const pems = [...own.values()].map(({ publicKey }) => publicKey);
  const followed = followKeyLists(pems, published.history);
  return followed === null ? own : new Map([...own, ...fromList(followed.keys)]);
}

async function readKeys(file: string): Promise<TrustedKeys> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Failure(EXIT.usage, `--key ${file}: the file cannot be read (${error.code}).`);
  });
  const list = text.trimStart().startsWith("{") ? readPublishedKeys(parsed(text)) : null;
  if (list !== null) return fromList(list.keys);
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0)
    throw new Failure(EXIT.usage, `--key ${file}: expected a public key in PEM, or a saved keys.json.`);
  return new Map(blocks.map((pem) => [keyIdOf(createPublicKey(pem)), whole(pem)]));
}

function fromList(keys: readonly ListedKey[]): TrustedKeys {
  return new Map(
    keys.map(({ keyId, publicKey, validUntil, revokedAt }) => [keyId, { publicKey, validUntil, revokedAt }]),
  );
}

function whole(publicKey: string): TrustedKey {
  return { publicKey, validUntil: null, revokedAt: null };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
