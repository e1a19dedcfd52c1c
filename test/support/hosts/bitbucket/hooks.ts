import { createHmac, randomUUID } from "node:crypto";

/** A webhook, with what was sent by it. */
export interface Hook {
  id: string;
  name: string;
  url: string;
  secret: string | null;
  events: Set<string>;
  isActive: boolean;
  verifiesTls: boolean;
  sent: SentHook[];
}

export interface SentHook {
  id: number;
  event: string;
  /** Null: no answer. */
  status: number | null;
  answer: string;
  /** ms since the epoch. */
  at: number;
}

/** One webhook request. */
export interface HookDelivery {
  event: string;
  payload: Record<string, unknown>;
  /** Null: there was nobody to send to. 0: no answer. */
  answer: { status: number; body: string } | null;
}

/** What the two products name differently. */
export interface HookRules {
  requestIdHeader: string;
  /** Attempts where an answer is missing or 5xx. */
  attempts: number;
  /** Of the webhook itself. */
  headersOf(hook: Hook, attempt: number): Record<string, string>;
}

export function newHook(id: string, url: string, more: Partial<Hook> = {}): Hook {
  return {
    ...{ id, url, name: "", secret: null, events: new Set<string>(), isActive: true, verifiesTls: true, sent: [] },
    ...more,
  };
}

/** Both sign the body alike, and only where there is a secret. */
function signatureOf({ secret }: Hook, body: string): Record<string, string> {
  if (secret === null || secret === "") return {};
  return { "x-hub-signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
}

/** Sends a webhook request, as the product does it. */
export async function sendHook(rules: HookRules, hook: Hook, delivery: HookDelivery): Promise<void> {
  const body = JSON.stringify(delivery.payload);
  for (let attempt = 1; attempt <= rules.attempts; attempt++) {
    delivery.answer = await post(hook.url, body, {
      "content-type": "application/json; charset=utf-8",
      "x-event-key": delivery.event,
      [rules.requestIdHeader]: randomUUID(),
      ...rules.headersOf(hook, attempt),
      ...signatureOf(hook, body),
    });
    const { status, body: answer } = delivery.answer;
    const id = hook.sent.length + 1;
    hook.sent.push({ id, event: delivery.event, status: status || null, answer, at: Date.now() });
    if (status > 0 && status < 500) return;
  }
}

async function post(url: string, body: string, headers: Record<string, string>) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}
