import { isUtf8 } from "node:buffer";
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { ConfigError } from "../../delivery/errors.ts";
import { readSigningKey, signWebhook, verifyWebhook } from "../../http/standard-webhooks.ts";
import { BadSignature, type RawWebhook } from "../host.ts";
import { headerOf } from "../payload.ts";

/** How webhooks of this host prove where they come from. */
export interface WebhookProof {
  /** @throws BadSignature */
  verify(request: RawWebhook, now: number): void;
  /** The headers of a request that `verify` takes. */
  headersFor(body: Buffer, now: number): Record<string, string>;
  /** The part of a webhook's settings that holds the secret: https://docs.gitlab.com/api/project_webhooks/ */
  settings: { signing_token: string } | { token: string };
}

/**
 * With a secret that begins with `whsec_` every webhook must have GitLab's signature: the token that may come beside it
 * is not enough. With any other secret it must have the secret itself in `X-Gitlab-Token`.
 * https://docs.gitlab.com/user/project/integrations/webhooks/#validate-requests-using-a-signing-token
 * @throws ConfigError
 */
export function webhookProof(key: string, secret: string): WebhookProof {
  if (secret.trim() === "") {
    throw new ConfigError(
      "gitlab-webhook-secret-missing",
      `hosts.${key}.webhookSecret is empty: set the signing token or the secret token of this host's webhooks.`,
    );
  }
  // GitLab sends a token without line ends.
  const token = secret.replaceAll(/[\r\n]/g, "");
  if (!token.startsWith("whsec_")) return byToken(token);
  const signingKey = readSigningKey(token);
  if (signingKey === null || signingKey.length < MIN_KEY_BYTES) {
    throw new ConfigError(
      "gitlab-signing-token-invalid",
      `hosts.${key}.webhookSecret begins with 'whsec_', but the base64 of a key does not follow: copy the signing token once more.`,
    );
  }
  return bySignature(signingKey, token);
}

/** GitLab's keys have 32 bytes, and Standard Webhooks allows 24. */
const MIN_KEY_BYTES = 24;

function bySignature(key: Buffer, signing_token: string): WebhookProof {
  return {
    settings: { signing_token },
    verify(request, now) {
      const signatures = headerOf(request, "webhook-signature");
      if (signatures.trim() === "") {
        throw new BadSignature(
          "The webhook-signature header is missing: set the webhook's signing token on GitLab to the one of this host.",
        );
      }
      const stamp = { id: headerOf(request, "webhook-id"), timestamp: headerOf(request, "webhook-timestamp") };
      requireText(request.body);
      switch (verifyWebhook(key, signatures, stamp, request.body, now)) {
        case "right":
          return;
        case "late":
          throw new BadSignature("The signature is right, but more than five minutes old or early: check both clocks.");
        case "wrong":
          throw new BadSignature(
            "The signature does not match the body: compare the webhook's signing token on GitLab with the one of this host.",
          );
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

function byToken(token: string): WebhookProof {
  return {
    settings: { token },
    verify(request) {
      const given = headerOf(request, "x-gitlab-token");
      if (given === "") {
        throw new BadSignature(
          "The X-Gitlab-Token header is missing: set the webhook's secret token on GitLab to the one of this host.",
        );
      }
      // Both digests have one length, so that the comparison takes the same time for every token.
      if (!timingSafeEqual(digest(given), digest(token))) {
        throw new BadSignature(
          "X-Gitlab-Token is another token: compare the webhook's secret token on GitLab with the one of this host.",
        );
      }
      requireText(request.body);
    },
    headersFor: () => ({ "x-gitlab-token": token }),
  };
}

function requireText(body: Buffer): void {
  if (body.length === 0 || !isUtf8(body)) {
    throw new BadSignature("The body is empty or not UTF-8: it is not what GitLab has sent.");
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
