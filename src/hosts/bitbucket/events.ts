import { isUtf8 } from "node:buffer";
import { BRANCHES, TAGS } from "../../delivery/refs.ts";
import { type Hint, MalformedWebhook, type RawWebhook, type WebhookReading } from "../host.ts";
import { headerOf, parseWebhook, readEvent } from "../payload.ts";
import type { WebhookProof } from "./signature.ts";

/** What one event says: a push may change several refs. */
export type Found = Pick<Hint, "repo" | "ref" | "sha"> & { detail?: string };
export type EventReader = (body: unknown) => Found[] | { ignored: string };

export interface EventRules {
  proof: WebhookProof;
  /** By the name of the event. */
  readers: ReadonlyMap<string, EventReader>;
  /** The event by the signed body, if it says so. */
  eventOf?(body: unknown): string | null;
  /** The header with the id of the request. */
  requestIdHeader: string;
}

/**
 * Verifies a webhook and normalises what its event says. An event that is not read is ignored, never refused: the
 * person who reads the list of deliveries would take a refusal for a fault.
 */
export function hintReader(rules: EventRules): (request: RawWebhook) => Promise<WebhookReading> {
  return async (request) => {
    rules.proof.verify(request);
    if (!isUtf8(request.body)) throw new MalformedWebhook("The body is not UTF-8.");
    const body = parseWebhook(request.body.toString("utf8"));
    const event = rules.eventOf?.(body) ?? headerOf(request, "x-event-key");
    if (event === "") throw new MalformedWebhook("The X-Event-Key header is missing.");
    const read = rules.readers.get(event);
    if (read === undefined) return { ignored: `event '${event.slice(0, 100)}' is not one that deliverd acts on` };
    const found = readEvent(event, read, body);
    if ("ignored" in found) return found;
    const deliveryId = headerOf(request, rules.requestIdHeader).slice(0, 100);
    return {
      hints: found.map(({ detail, ...rest }) => ({
        ...rest,
        event: detail === undefined ? event : `${event} ${detail}`,
        deliveryId,
      })),
    };
  };
}

/** The full ref; null where it is neither a branch nor a tag. */
export function fullRef(kind: "branch" | "tag" | null, name: string): string | null {
  return kind === null ? null : (kind === "branch" ? BRANCHES : TAGS) + name;
}
