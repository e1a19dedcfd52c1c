import { createHmac } from "node:crypto";
import { isSame } from "./is-same.ts";

/**
 * Signatures of Standard Webhooks:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

/** What is signed beside the body: the headers `webhook-id` and `webhook-timestamp`. */
export interface WebhookStamp {
  id: string;
  /** s since the epoch, in digits. */
  timestamp: string;
}

/** How old or early a signature may be, in ms. */
const MAX_SKEW_MS = 5 * 60_000;

const VERSION = "v1";

/** The key in `whsec_<base64>`. Null: the text has another form. */
export function readSigningKey(secret: string): Buffer | null {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  return base64 === undefined ? null : Buffer.from(base64, "base64");
}

/** The value of `webhook-signature`. */
export function signWebhook(key: Buffer, { id, timestamp }: WebhookStamp, body: string | Buffer): string {
  return `${VERSION},${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`;
}

/** `late`: one signature is right, but its time is not within five minutes of ours. */
export type Verification = "right" | "wrong" | "late";

/**
 * Verifies the header `webhook-signature`, which may hold several signatures: one that is right is enough.
 * @param now ms since the epoch
 */
export function verifyWebhook(
  key: Buffer,
  signatures: string,
  stamp: WebhookStamp,
  body: Buffer,
  now: number,
): Verification {
  if (stamp.id === "" || !/^\d{1,15}$/.test(stamp.timestamp)) return "wrong";
  const expected = signWebhook(key, stamp, body);
  const isRight = signatures.split(" ").some((given) => isSame(given, expected));
  if (!isRight) return "wrong";
  return Math.abs(now - Number(stamp.timestamp) * 1000) <= MAX_SKEW_MS ? "right" : "late";
}
