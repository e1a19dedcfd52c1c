import { isUtf8 } from "node:buffer";
import { createHmac } from "node:crypto";
import { ConfigError } from "../../delivery/errors.ts";
import { isSame } from "../../http/is-same.ts";
import { BadSignature, type RawWebhook } from "../host.ts";
import { headerOf } from "../payload.ts";

/**
 * The headers that may hold the HMAC-SHA256 of the body, with what stands before its hex digits. Forgejo sends all three,
 * Gitea the last two. Each one that is there has to be right.
 */
const HEADERS = [
  ["x-forgejo-signature", ""],
  ["x-gitea-signature", ""],
  ["x-hub-signature-256", "sha256="],
] as const;

/** How webhooks of this host prove where they come from. */
export interface WebhookProof {
  /** @throws BadSignature */
  verify(request: RawWebhook): void;
  /** The headers of a request that `verify` takes. */
  headersFor(body: Buffer): Record<string, string>;
}

/** @throws ConfigError if the secret is empty: Gitea sends empty signatures then */
export function webhookProof(key: string, secret: string): WebhookProof {
  if (secret.trim() === "") {
    throw new ConfigError(
      "gitea-webhook-secret-missing",
      `hosts.${key}.webhookSecret is empty: set the secret of this host's webhooks.`,
    );
  }
  const sign = (body: Buffer) => createHmac("sha256", secret).update(body).digest("hex");
  return {
    verify({ headers, body }) {
      const given = HEADERS.filter(([name]) => headers[name] !== undefined);
      if (given.length === 0) {
        throw new BadSignature(
          "The X-Gitea-Signature header is missing: set the webhook's secret on Gitea to the one of this host.",
        );
      }
      if (body.length === 0 || !isUtf8(body)) {
        throw new BadSignature("The body is empty or not UTF-8: it is not what Gitea has signed.");
      }
      const digest = sign(body);
      for (const [name, prefix] of given) requireEqual(headerOf({ headers, body }, name), prefix + digest, prefix);
    },
    headersFor: (body) => ({ "x-gitea-signature": sign(body) }),
  };
}

function requireEqual(given: string, expected: string, prefix: string): void {
  if (given.trim() === prefix) {
    throw new BadSignature("The signature is empty: set the webhook's secret on Gitea to the one of this host.");
  }
  if (isSame(given, expected)) return;
  throw new BadSignature(
    "The signature does not match the body: compare the webhook's secret on Gitea with the one of this host.",
  );
}
