import { createHash, timingSafeEqual } from "node:crypto";
import { ConfigError } from "../../delivery/errors.ts";
import { BadSignature } from "../host.ts";
import { headerOf } from "../payload.ts";
import { readProofKey, requireText, type StandardProof, standardProof } from "../standard-proof.ts";

/** How webhooks of this host prove where they come from. */
export interface WebhookProof extends StandardProof {
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
  const signingKey = readProofKey(token);
  if (signingKey === null) {
    throw new ConfigError(
      "gitlab-signing-token-invalid",
      `hosts.${key}.webhookSecret begins with 'whsec_', but the base64 of a key does not follow: copy the signing token once more.`,
    );
  }
  const words = { sender: "GitLab", secret: "the webhook's signing token on GitLab" };
  return { settings: { signing_token: token }, ...standardProof(signingKey, words) };
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
      requireText(request.body, "sent by GitLab");
    },
    headersFor: () => ({ "x-gitlab-token": token }),
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
