import { createHmac, randomUUID } from "node:crypto";
import type { GitLabState, Hook } from "./state.ts";

/** One webhook request. */
export interface HookDelivery {
  id: string;
  /** As in `X-Gitlab-Event`. */
  event: string;
  payload: Record<string, unknown>;
  /** Null: lost on purpose, or there was nobody to send to. 0: no answer. */
  answer: { status: number; body: string } | null;
}

/** The event that a webhook subscribes to, by the name in the header. */
export const TRIGGERS: Readonly<Record<string, string>> = {
  "Push Hook": "push_events",
  "Tag Push Hook": "tag_push_events",
  "Pipeline Hook": "pipeline_events",
  "Job Hook": "job_events",
  "Merge Request Hook": "merge_requests_events",
  "Issue Hook": "issues_events",
};

/** Failures in a row after which GitLab sends no more for a while, and for good. */
const FAILURES_UNTIL_PAUSE = 4;
const FAILURES_UNTIL_OFF = 40;

export function newHook(id: number, url: string, more: Partial<Hook> = {}): Hook {
  return {
    ...{ id, url, token: null, signingToken: null, events: new Set<string>(), verifiesTls: true, branchFilter: "" },
    ...{ template: "", failures: 0, alertStatus: "executable", sent: [] },
    ...more,
  };
}

/** The headers of a request, with the token, the signature, or both. */
function hookHeaders(
  { token, signingToken }: Pick<Hook, "token" | "signingToken">,
  delivery: Pick<HookDelivery, "id" | "event">,
  body: string,
): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = signingToken === null ? null : Buffer.from(signingToken.slice("whsec_".length), "base64");
  return {
    "content-type": "application/json",
    "user-agent": "GitLab/18.11.0",
    "idempotency-key": delivery.id,
    "x-gitlab-event": delivery.event,
    "x-gitlab-event-uuid": randomUUID(),
    "x-gitlab-webhook-uuid": randomUUID(),
    ...(token === null ? {} : { "x-gitlab-token": token }),
    ...(key === null
      ? {}
      : {
          "webhook-id": delivery.id,
          "webhook-timestamp": timestamp,
          "webhook-signature": `v1,${createHmac("sha256", key).update(`${delivery.id}.${timestamp}.${body}`).digest("base64")}`,
        }),
  };
}

/** Sends as GitLab does: a webhook that failed four times in a row gets nothing more until somebody tests it. */
export async function sendHook(state: GitLabState, hook: Hook, delivery: HookDelivery, isTest = false): Promise<void> {
  if (hook.alertStatus !== "executable" && !isTest) return;
  const body = JSON.stringify(delivery.payload);
  const trigger = TRIGGERS[delivery.event] ?? "";
  try {
    const response = await fetch(hook.url, {
      method: "POST",
      headers: hookHeaders(hook, delivery, body),
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
    delivery.answer = { status: response.status, body: await response.text() };
  } catch (error) {
    delivery.answer = { status: 0, body: String(error) };
  }
  const { status, body: answer } = delivery.answer;
  hook.sent.push({ id: state.nextId(), trigger, status: status || null, answer, createdAt: state.now() });
  hook.failures = status >= 200 && status < 300 ? 0 : hook.failures + 1;
  if (hook.failures >= FAILURES_UNTIL_OFF) hook.alertStatus = "disabled";
  else hook.alertStatus = hook.failures >= FAILURES_UNTIL_PAUSE ? "temporarily_disabled" : "executable";
}
