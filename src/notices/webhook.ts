import { createHash, createHmac } from "node:crypto";
import { ConfigError, Refused, TransientError } from "../delivery/errors.ts";
import { clockOf, readRetryAfter } from "../http/retry-after.ts";
import { oneOf, orNull, secret, strict, webUrl } from "../settings/scalars.ts";
import type { Notice, Notifier } from "./notice.ts";
import { noticeKind } from "./notice-kind.ts";

/** A CloudEvent by POST. */
export const webhook = noticeKind({
  type: "webhook",
  settings: strict({
    type: oneOf("webhook"),
    url: webUrl,
    // https://www.standardwebhooks.com: the base64 of the key behind its prefix.
    secret: orNull(
      secret.regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, { error: "whsec_ and the base64 of 24 to 64 random bytes" }),
    ),
  }),
  secrets: ["secret"],
  open: ({ url, secret }) => webhookNotifier({ url, secret }),
});

export interface WebhookNoticeOptions {
  url: string;
  /** `whsec_<base64>`, known to the receiver too. Null: notices are not signed. */
  secret: string | null;
  /** What one attempt may take, in ms; 15 s if left out. */
  timeout?: number;
}

/**
 * Sends a notice as a CloudEvent in structured mode, signed as Standard Webhooks asks; one attempt a call.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
 * https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
 * @throws ConfigError where URL or secret cannot be used.
 */
export function webhookNotifier({ url, secret, timeout = 15_000 }: WebhookNoticeOptions): Notifier {
  const goal = goalOf(url);
  const key = secret === null ? null : keyOf(secret);
  // The query may hold a token of the receiver's.
  const target = goal.origin + goal.pathname;
  return {
    key: createHash("sha256").update(goal.href).digest("hex").slice(0, 24),
    target,
    async send(notice, signal, at = Date.now()) {
      const response = await post(
        goal,
        signedRequest(notice, key, at),
        AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      );
      judgeAnswer(response, target);
    },
  };

  async function post(goal: URL, request: RequestInit, signal: AbortSignal): Promise<Response> {
    try {
      const response = await fetch(goal, { ...request, method: "POST", redirect: "manual", signal });
      await response.body?.cancel();
      return response;
    } catch (error) {
      throw new TransientError("notice-unanswered", `${target} gave no answer: ${reasonOf(error)}`, { cause: error });
    }
  }
}

function goalOf(url: string): URL {
  const goal = URL.canParse(url) ? new URL(url) : null;
  if (goal === null || !/^https?:$/.test(goal.protocol) || goal.username !== "" || goal.password !== "") {
    throw new ConfigError(
      "notice-url-invalid",
      "notices: the url of a webhook is an http or https URL without user and password: its secret is what proves who sends.",
    );
  }
  return goal;
}

function keyOf(secret: string): Buffer {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (base64 === undefined) {
    throw new ConfigError(
      "notice-secret-invalid",
      "notices: the secret of a webhook is 'whsec_' and 24 to 64 random bytes in base64: printf 'whsec_%s' \"$(openssl rand -base64 32)\" makes one.",
    );
  }
  return Buffer.from(base64, "base64");
}

function signedRequest({ id, event }: Notice, key: Buffer | null, at: number): RequestInit {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(at / 1000).toString();
  const signature = key && createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    body,
    headers: {
      "content-type": "application/cloudevents+json",
      "user-agent": "deliverd",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      ...(signature === null ? {} : { "webhook-signature": `v1,${signature}` }),
    },
  };
}

function judgeAnswer({ ok, status, headers }: Response, target: string): void {
  if (ok) return;
  if (status === 410) {
    throw new Refused("notice-gone", `${target} answered 410: it wants no more notices. Remove it from 'notices'.`);
  }
  if (status >= 300 && status < 400) {
    throw new TransientError(
      "notice-redirected",
      `${target} answered ${status}: redirects are not followed. Give its final address as the url.`,
    );
  }
  // A 4xx may be a deployer that is being fixed: it must not lose the notice.
  const retryAfter = readRetryAfter(headers.get("retry-after"), clockOf(headers.get("date")));
  throw new TransientError("notice-not-taken", `${target} answered ${status}.`, { retryAfter });
}

function reasonOf(error: unknown): string {
  const inner = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || inner.name : String(inner);
}
