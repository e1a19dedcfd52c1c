import { createHmac } from "node:crypto";
import { ConfigError } from "../../delivery/errors.ts";
import { isSame } from "../../http/is-same.ts";
import { BadSignature, type RawWebhook } from "../host.ts";
import { headerOf } from "../payload.ts";

/** How webhooks of this host prove where they come from. */
export interface WebhookProof {
  /** @throws BadSignature */
  verify(request: RawWebhook): void;
  /** The header of a request that `verify` takes. */
  headersFor(body: Buffer): Record<string, string>;
  secret: string;
}

/**
 * Cloud and Data Center sign the body by HMAC-SHA256 in a header whose name is that of SHA-1 elsewhere. A webhook
 * without a secret has no signature, and is refused.
 * https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ and
 * https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html
 * @throws ConfigError
 */
export function webhookProof(key: string, secret: string): WebhookProof {
  if (secret.trim() === "") {
    throw new ConfigError(
      "bitbucket-webhook-secret-missing",
      `hosts.${key}.webhookSecret is empty: set the secret that Bitbucket signs this host's webhooks with.`,
    );
  }
  const sign = (body: Buffer) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  return {
    secret,
    verify({ headers, body }) {
      const given = headerOf({ headers, body }, "x-hub-signature");
      if (given.trim() === "") {
        throw new BadSignature(
          "The X-Hub-Signature header is missing: set the webhook's secret on Bitbucket to the one of this host. " +
            "A test of the connection by an older Data Center has no signature.",
        );
      }
      if (!given.startsWith("sha256=")) {
        throw new BadSignature("X-Hub-Signature is no SHA-256 signature: deliverd takes 'sha256=…' only.");
      }
      if (body.length === 0) throw new BadSignature("The body is empty: it is not what Bitbucket has signed.");
      if (!isSame(given, sign(body))) {
        throw new BadSignature(
          "The signature does not match the body: compare the webhook's secret on Bitbucket with the one of this host.",
        );
      }
    },
    headersFor: (body) => ({ "x-hub-signature": sign(body) }),
  };
}
