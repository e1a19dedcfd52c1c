import { createPublicKey, verify } from "node:crypto";
import * as z from "zod";
import { type Envelope, keyIdOf, preAuthEncoding } from "./dsse.ts";

/** The payload type of a signed list of keys. */
export const KEY_LIST_TYPE = "application/vnd.deliverd.keys.v1+json";

const time = z.iso.datetime();
const listedKey = z.object({
  /** As `keyIdOf` makes it. */
  keyId: z.string(),
  algorithm: z.literal("ecdsa-p256-sha256"),
  /** SPKI, PEM. */
  publicKey: z.string(),
  validFrom: time,
  /** Null: it signs now. Otherwise it is retired: what it signed before stays good. */
  validUntil: time.nullable(),
  /** Not null: nothing that it ever signed counts. */
  revokedAt: time.nullable(),
});
const keyList = z.object({ keys: z.array(listedKey).max(1_000) });
const envelope = z.object({
  payload: z.base64(),
  payloadType: z.literal(KEY_LIST_TYPE),
  signatures: z.array(z.object({ sig: z.base64(), keyid: z.string() })).max(10),
});
/** `/.well-known/deliverd/keys.json`. */
const published = z.object({ ...keyList.shape, history: z.array(envelope).max(1_000) });

export type ListedKey = z.output<typeof listedKey>;
export type KeyList = z.output<typeof keyList>;
export type PublishedKeys = z.output<typeof published>;

export function keyListBytes({ keys }: KeyList): Buffer {
  return Buffer.from(JSON.stringify({ keys }));
}

/** What a server's list of keys says. Null: it is none. */
export function readPublishedKeys(data: unknown): PublishedKeys | null {
  const read = published.safeParse(data);
  return read.success ? read.data : null;
}

/**
 * Goes through the lists of a server in their order, from one that a trusted key has signed: each list is believed if a
 * key that was believed before has signed it, and its keys are believed then.
 * @param trusted public keys, PEM
 * @returns the last list that is believed; null: none is
 */
export function followKeyLists(trusted: readonly string[], history: readonly Envelope[]): KeyList | null {
  let believed = new Map(trusted.map((pem) => [keyIdOf(createPublicKey(pem)), pem]));
  let last: KeyList | null = null;
  for (const one of history) {
    if (!isSignedByOne(one, believed)) continue;
    const list = keyList.parse(JSON.parse(Buffer.from(one.payload, "base64").toString()));
    const good = list.keys.filter(({ keyId, publicKey, revokedAt }) => {
      return revokedAt === null && keyIdOf(createPublicKey(publicKey)) === keyId;
    });
    believed = new Map(good.map(({ keyId, publicKey }) => [keyId, publicKey]));
    last = list;
  }
  return last;
}

function isSignedByOne({ payload, payloadType, signatures }: Envelope, keys: ReadonlyMap<string, string>): boolean {
  const signed = preAuthEncoding(payloadType, Buffer.from(payload, "base64"));
  // The id of a key is not signed: it only says which key to try.
  return signatures.some(({ sig, keyid }) => {
    const key = keys.get(keyid);
    return key !== undefined && verify("sha256", signed, key, Buffer.from(sig, "base64"));
  });
}
