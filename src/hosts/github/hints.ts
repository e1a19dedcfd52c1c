import { isUtf8 } from "node:buffer";
import { createHmac } from "node:crypto";
import { Webhooks } from "@octokit/webhooks";
import { isSame } from "../../http/is-same.ts";
import { BadSignature, MalformedWebhook, type RawWebhook, type WebhookReading } from "../host.ts";
import { headerOf, parseWebhook, readEvent } from "../payload.ts";
import { type Reader, readers } from "./events.ts";

/** What the webhooks of an App tell beside those of a repo. */
export interface AppEvents {
  /** By the name of the event; they replace those that a repo has. */
  readers: ReadonlyMap<string, Reader>;
  /** Sees each body before it is read. */
  onEvent(body: unknown): void;
}

/** Nearly all payloads of GitHub are smaller. */
const LARGE_BODY_BYTES = 256 * 1024;

/**
 * Verifies the SHA-256 signature over the body and normalises what the event says.
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * @param app the App that the webhooks are of; null: they are registered on repos or organisations
 */
export function hintReader(
  webhookSecret: string,
  app: AppEvents | null = null,
): (request: RawWebhook) => Promise<WebhookReading> {
  const webhooks = new Webhooks({ secret: webhookSecret });
  return async (request) => {
    const text = await verified(webhooks, webhookSecret, request);
    const event = headerOf(request, "x-github-event");
    if (event === "") throw new MalformedWebhook("The X-GitHub-Event header is missing.");
    return readPayload(event, parseWebhook(text), headerOf(request, "x-github-delivery").slice(0, 100), app);
  };
}

/** What an event says that is known to come from GitHub. @throws MalformedWebhook */
export function readPayload(
  event: string,
  body: unknown,
  deliveryId: string,
  app: AppEvents | null = null,
): WebhookReading {
  if (event === "ping") return { ignored: "ping" };
  const read = app?.readers.get(event) ?? readers.get(event);
  if (read === undefined) return { ignored: `event '${event.slice(0, 100)}' is not one that deliverd acts on` };
  app?.onEvent(body);
  const found = readEvent(event, read, body);
  if ("ignored" in found) return found;
  if ("action" in found) return { hints: [], orders: [{ ...found, deliveryId }] };
  const { detail, event: name, ...rest } = found;
  return { hints: [{ ...rest, event: name ?? (detail === undefined ? event : `${event} ${detail}`), deliveryId }] };
}

/** The body as text. @throws BadSignature unless its signature is right */
async function verified(webhooks: Webhooks, secret: string, request: RawWebhook): Promise<string> {
  const { body } = request;
  const signature = headerOf(request, "x-hub-signature-256");
  if (signature === "") {
    throw new BadSignature(
      headerOf(request, "x-hub-signature") === ""
        ? "The X-Hub-Signature-256 header is missing: set the webhook's secret on GitHub to the one of this host."
        : "Only a SHA-1 signature was sent: deliverd takes X-Hub-Signature-256.",
    );
  }
  // The library signs text. Only UTF-8 text gives the same bytes again, and the library refuses an empty text.
  if (body.length === 0 || !isUtf8(body)) {
    throw new BadSignature("The body is empty or not UTF-8: it is not what GitHub has signed.");
  }
  // The library copies what it verifies. Nobody without the secret may make us copy 25 MB three times.
  if (body.length > LARGE_BODY_BYTES && !signs(secret, body, signature)) throw mismatch();
  const text = body.toString("utf8");
  if (!(await webhooks.verify(text, signature))) throw mismatch();
  return text;
}

function mismatch(): BadSignature {
  return new BadSignature(
    "The signature does not match the body: compare the webhook's secret on GitHub with the one of this host.",
  );
}

/** Whether the signature is right for the raw bytes, compared in constant time. */
function signs(secret: string, body: Buffer, signature: string): boolean {
  return isSame(signature, `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
}
