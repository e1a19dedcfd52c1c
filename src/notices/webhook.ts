import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { withSignals } from "../async/with-signals.ts";
import { ConfigError, Refused, TransientError } from "../delivery/errors.ts";
import { hiddenPathAddress } from "../delivery/webhook-address.ts";
import { type Body, bodyOf, discard } from "../http/body.ts";
import { openHttpClient, type Send } from "../http/client.ts";
import { reasonWithoutAnswer } from "../http/no-answer.ts";
import { remoteText } from "../http/remote-text.ts";
import { readRetryAfter } from "../http/retry-after.ts";
import { readSigningKey, signWebhook } from "../http/standard-webhooks.ts";
import { traceHeaders } from "../observe/span.ts";
import { oneOf, orNull, receiverUrl, secret, strict } from "../settings/scalars.ts";
import { idOf, type Notice, type Notifier, type Probe, placeOf } from "./notice.ts";
import { noticeKind } from "./notice-kind.ts";

/** A CloudEvent by POST. */
export const webhook = noticeKind({
  type: "webhook",
  settings: strict({
    type: oneOf("webhook").describe("The kind of notice."),
    url: receiverUrl.describe("The URL that gets a POST for each release."),
    // https://www.standardwebhooks.com: the base64 of the key behind its prefix.
    secret: orNull(
      secret.regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, { error: "whsec_ and the base64 of 24 to 64 random bytes" }),
    ).describe("The key that signs notices: whsec_ and base64. Left out: they are not signed."),
  }),
  secrets: ["secret"],
  secretUrls: ["url"],
  open: ({ url, secret }, entry) => webhookNotifier({ url, secret, entry }),
});

export interface WebhookNoticeOptions {
  url: string;
  /** `whsec_<base64>`, known to the receiver too. Null: notices are not signed. */
  secret: string | null;
  /** Names the entry of the configuration in errors; `notices` if left out. */
  entry?: string;
  /** ms for one attempt; 15 s if left out. */
  timeout?: number;
}

/**
 * Sends a notice as a CloudEvent in structured mode with a signature of Standard Webhooks, one attempt for each call.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
 * https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
 * @throws ConfigError `notice-url-invalid`, `notice-secret-invalid`
 */
export function webhookNotifier(options: WebhookNoticeOptions): Notifier {
  const { secret, entry = "notices", timeout = 15_000 } = options;
  const url = readUrl(options.url, entry);
  const key = secret === null ? null : readSecret(secret, entry);
  const send = openHttpClient({ idleTimeout: timeout });
  const target = hiddenPathAddress(url.href);
  // Two receivers may be on one server: the entry tells which of them it is.
  const name = `${entry} (${target})`;
  return {
    key: idOf(url.href),
    place: placeOf(url.href),
    target,
    async send(notice, signal, at = Date.now()) {
      const { body, headers } = signedRequest(notice, key, at);
      const response = await withSignals([signal, AbortSignal.timeout(timeout)], (either) =>
        send({ method: "POST", url, headers: { ...headers, ...traceHeaders() }, body, signal: either }),
      ).catch((error: unknown) => {
        throw new TransientError("notice-unanswered", `${name} gave no answer: ${describe(error)}`, { cause: error });
      });
      discard(response);
      checkStatus(response.status, response.headers, name);
    },
    probe: (signal) => probe({ url, name, timeout, send }, signal),
  };
}

interface Receiver {
  url: URL;
  /** For errors. */
  name: string;
  timeout: number;
  send: Send;
}

/**
 * Sends OPTIONS, which changes nothing at the receiver (RFC 9110, 9.2.1). Most answers show that a receiver is there,
 * also those that refuse the method or the missing signature.
 */
async function probe({ url, name, timeout, send }: Receiver, signal: AbortSignal): Promise<Probe> {
  const response = await withSignals([signal, AbortSignal.timeout(timeout)], (either) =>
    send({ method: "OPTIONS", url, headers: {}, signal: either }),
  ).catch((error: unknown) => {
    throw new TransientError("notice-unanswered", `${name} gave no answer: ${describe(error)}`, { cause: error });
  });
  discard(response);
  const { status, headers } = response;
  const isReached = status < 300 || (status >= 400 && status < 500 && status !== 410) || status === 501;
  if (!isReached) checkStatus(status, headers, name);
  const doubt = status === 404 ? "it may have no such path, or not know this method" : null;
  return { text: `can be reached: it answers ${status} to OPTIONS`, doubt };
}

function readUrl(text: string, entry: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new ConfigError(
      "notice-url-invalid",
      `${entry}.url must be an http or https URL without user and password. To prove who sends, set its secret.`,
    );
  }
  return url;
}

function readSecret(secret: string, entry: string): Buffer {
  const key = readSigningKey(secret);
  if (key === null) {
    throw new ConfigError(
      "notice-secret-invalid",
      `${entry}.secret must be 'whsec_' and 24 to 64 random bytes in base64. ` +
        `Make one with: printf 'whsec_%s' "$(openssl rand -base64 32)"`,
    );
  }
  return key;
}

function signedRequest(
  { id, event }: Notice,
  key: Buffer | null,
  at: number,
): { body: Body; headers: OutgoingHttpHeaders } {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(at / 1000).toString();
  return {
    body: bodyOf(body),
    headers: {
      "content-type": "application/cloudevents+json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      ...(key === null ? {} : { "webhook-signature": signWebhook(key, { id, timestamp }, body) }),
    },
  };
}

function checkStatus(status: number, headers: IncomingHttpHeaders, name: string): void {
  if (status >= 200 && status < 300) return;
  if (status === 410) {
    throw new Refused("notice-gone", `${name} answered 410: it accepts no more notices. Remove the entry.`);
  }
  if (status >= 300 && status < 400) {
    throw new TransientError(
      "notice-redirected",
      `${name} answered ${status}: redirects are not followed. Give its final address as the url.`,
    );
  }
  // A 4xx may come from a deployer that is being repaired, so the notice is sent again.
  throw new TransientError("notice-not-taken", `${name} answered ${status}.`, {
    retryAfter: readRetryAfter(headers),
  });
}

function describe(error: unknown): string {
  return remoteText(reasonWithoutAnswer(error));
}
