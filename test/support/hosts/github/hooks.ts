import { createHmac } from "node:crypto";
import type { JsonObject } from "./json.ts";
import type { Hook } from "./state.ts";

export interface HookAnswer {
  /** 0: nobody answered within GitHub's 10 s. */
  status: number;
  /** The text, or why there is none. */
  body: string;
}

/** One webhook request, sent or lost. */
export interface HookDelivery {
  id: string;
  event: string;
  payload: JsonObject;
  /** Null: lost on purpose, or there is nobody to send to. */
  answer: HookAnswer | null;
}

/** Signs and sends as GitHub does, and waits no longer than GitHub: 10 s. */
export async function sendHook(
  url: string,
  secret: string | null,
  { id, event, payload }: { id: string; event: string; payload: JsonObject },
  contentType: Hook["config"]["contentType"] = "json",
): Promise<HookAnswer> {
  const text = JSON.stringify(payload);
  const body = contentType === "json" ? text : new URLSearchParams({ payload: text }).toString();
  const sign = (algorithm: string, key: string) =>
    `${algorithm}=${createHmac(algorithm, key).update(body).digest("hex")}`;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": contentType === "json" ? "application/json" : "application/x-www-form-urlencoded",
        accept: "*/*",
        "user-agent": "GitHub-Hookshot/5a9f8d1",
        "x-github-delivery": id,
        "x-github-event": event,
        "x-github-hook-id": "109948940",
        "x-github-hook-installation-target-id": "186853002",
        "x-github-hook-installation-target-type": "repository",
        ...(secret !== null && {
          "x-hub-signature": sign("sha1", secret),
          "x-hub-signature-256": sign("sha256", secret),
        }),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}

/** Sends to one registered webhook, and notes the answer for its list of deliveries. */
export async function sendTo(
  hook: Hook,
  delivery: Pick<HookDelivery, "id" | "event" | "payload">,
  noted: { id: number; at: string },
): Promise<HookAnswer> {
  const { url, secret, contentType } = hook.config;
  const answer = await sendHook(url, secret, delivery, contentType);
  const { action } = delivery.payload;
  hook.sent.push({
    ...noted,
    guid: delivery.id,
    event: delivery.event,
    action: typeof action === "string" ? action : null,
    status: answer.status,
    answer: answer.body,
    payload: delivery.payload,
  });
  return answer;
}

/** Whether GitHub sends this event to the webhook. */
export function subscribes({ active, events }: Hook, event: string): boolean {
  return active && (events.includes("*") || events.includes(event));
}

/** A webhook as it is right for deliverd, but for what `more` changes. */
export function newHook(
  id: number,
  now: string,
  more: Partial<Hook["config"]> & Partial<Pick<Hook, "active" | "events">>,
): Hook {
  const { active = true, events = ["*"], ...config } = more;
  const usual: Hook["config"] = { url: "", contentType: "json", secret: null, insecureSsl: "0" };
  return { id, active, events, config: { ...usual, ...config }, createdAt: now, updatedAt: now, sent: [] };
}
