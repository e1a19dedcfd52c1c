import { createHmac, randomUUID } from "node:crypto";
import type { Hook } from "./state.ts";

/** One webhook request. */
export interface HookDelivery {
  id: string;
  /** As in `X-Gitea-Event`. */
  event: string;
  payload: Record<string, unknown>;
  /** Null: lost on purpose, or there was nobody to send to. 0: no answer. */
  answer: { status: number; body: string } | null;
}

/** Every event that a webhook of Gitea 1.25 may subscribe to, as far as they matter here. */
const GITEA_EVENTS = ["push", "create", "delete", "repository", "release", "issues", "status"];
export const EVENTS = {
  gitea: [...GITEA_EVENTS, "workflow_run", "workflow_job"],
  forgejo: ["push", "create", "delete", "repository", "release", "issues", "action_run_failure", "action_run_success"],
} as const;
export type Software = keyof typeof EVENTS;

export function newHook(id: number, url: string, more: Partial<Hook> = {}): Hook {
  return {
    ...{ id, url, secret: "", contentType: "json", active: true, events: new Set(["push"]), branchFilter: "" },
    authorization: "",
    ...more,
  };
}

/** With an empty secret every header of a signature is there, and empty. Gitea also sends the headers of GitHub's webhooks. */
function hookHeaders(hook: Hook, software: Software, delivery: HookDelivery, body: string): Record<string, string> {
  const sign = (algorithm: string) =>
    hook.secret === "" ? "" : createHmac(algorithm, hook.secret).update(body).digest("hex");
  const named = (prefix: string) => ({
    [`x-${prefix}-delivery`]: delivery.id,
    [`x-${prefix}-event`]: delivery.event,
    [`x-${prefix}-event-type`]: delivery.event,
  });
  return {
    "content-type": hook.contentType === "json" ? "application/json" : "application/x-www-form-urlencoded",
    ...(software === "forgejo" ? { ...named("forgejo"), "x-forgejo-signature": sign("sha256") } : {}),
    ...named("gitea"),
    "x-gitea-signature": sign("sha256"),
    ...named("gogs"),
    "x-gogs-signature": sign("sha256"),
    "x-hub-signature": `sha1=${sign("sha1")}`,
    "x-hub-signature-256": `sha256=${sign("sha256")}`,
    ...named("github"),
  };
}

/** Which headers with a signature reach the receiver; a proxy may take some away. */
export type Passes = (header: string) => boolean;

/** Sends once: what fails is not sent again. */
export async function sendHook(hook: Hook, software: Software, delivery: HookDelivery, passes: Passes): Promise<void> {
  const json = JSON.stringify(delivery.payload, null, 2);
  const headers = Object.entries(hookHeaders(hook, software, delivery, json));
  const isForm = hook.contentType !== "json";
  try {
    const response = await fetch(hook.url, {
      method: "POST",
      headers: Object.fromEntries(headers.filter(([name]) => !name.includes("signature") || passes(name))),
      // The signature is over the JSON, also where a form is sent.
      body: isForm ? new URLSearchParams({ payload: json }) : json,
      redirect: "manual",
      signal: AbortSignal.timeout(5_000),
    });
    delivery.answer = { status: response.status, body: await response.text() };
  } catch (error) {
    delivery.answer = { status: 0, body: String(error) };
  }
}

export function newDelivery(event: string, payload: Record<string, unknown>): HookDelivery {
  return { id: randomUUID(), event, payload, answer: null };
}
