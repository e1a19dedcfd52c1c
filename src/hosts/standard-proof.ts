import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { readSigningKey, signWebhook, verifyWebhook } from "../http/standard-webhooks.ts";
import { headerOf } from "./payload.ts";
import { BadSignature, type RawWebhook } from "./webhook.ts";

/** Webhooks that are signed as Standard Webhooks says. */
export interface StandardProof {
  /** @param now ms since the epoch @throws BadSignature */
  verify(request: RawWebhook, now: number): void;
  /** The headers of a request that `verify` takes. */
  headersFor(body: Buffer, now: number): Record<string, string>;
}

/** GitLab's keys have 32 bytes, and Standard Webhooks allows 24. */
const MIN_KEY_BYTES = 24;

/** The key in `whsec_<base64>`. Null: it has another form, or is too short to be safe. */
export function readProofKey(secret: string): Buffer | null {
  const key = readSigningKey(secret);
  return key === null || key.length < MIN_KEY_BYTES ? null : key;
}

/**
 * @param words what to say of a signature that is missing or wrong. `sender`: who must have signed, as in `GitLab`.
 *   `secret`: what must be the same there and here, as in `the webhook's signing token on GitLab`
 */
export function standardProof(key: Buffer, { sender, secret }: { sender: string; secret: string }): StandardProof {
  return {
    verify(request, now) {
      const signatures = headerOf(request, "webhook-signature");
      if (signatures.trim() === "") {
        throw new BadSignature(`The webhook-signature header is missing: set ${secret} to the one of this host.`);
      }
      requireText(request.body, `signed by ${sender}`);
      const stamp = { id: headerOf(request, "webhook-id"), timestamp: headerOf(request, "webhook-timestamp") };
      switch (verifyWebhook(key, signatures, stamp, request.body, now)) {
        case "right":
          return;
        case "late":
          throw new BadSignature("The signature is right, but more than five minutes old or early: check both clocks.");
        case "wrong":
          throw new BadSignature(`The signature does not match the body: compare ${secret} with the one of this host.`);
      }
    },
    headersFor(body, now) {
      const stamp = { id: randomUUID(), timestamp: String(Math.floor(now / 1000)) };
      return {
        "webhook-id": stamp.id,
        "webhook-timestamp": stamp.timestamp,
        "webhook-signature": signWebhook(key, stamp, body),
      };
    },
  };
}

/** @param what how such a body would be, as in `sent by GitLab` @throws BadSignature */
export function requireText(body: Buffer, what: string): void {
  if (body.length === 0 || !isUtf8(body)) throw new BadSignature(`The body is empty or not UTF-8: it was not ${what}.`);
}
