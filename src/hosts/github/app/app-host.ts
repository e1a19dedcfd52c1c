import type { Host } from "../../host.ts";
import { hintReader, readPayload } from "../hints.ts";
import { type AppAccess, accountOf } from "./app-access.ts";
import { appEvents } from "./app-events.ts";
import { appWebhook } from "./app-webhook.ts";
import { checkLogin } from "./check-login.ts";
import { CheckRunReporter } from "./check-run-reporter.ts";
import { lostWebhooks } from "./lost-webhooks.ts";
import { mayWrite } from "./may-write.ts";

/** GitHub gives up a check run that has not ended after 14 days. */
const PENDING_LIFE_MS = 13 * 24 * 60 * 60_000;

/** What a GitHub App does in its own way, and what only an App can do. */
export function appHost(access: AppAccess, options: { key: string; webhookSecret: string }, now: () => number) {
  const events = appEvents(access.appId, access.installations);
  const reporter = new CheckRunReporter(access);
  return {
    readHints: hintReader(options.webhookSecret, events),
    report: (commit, report, history) => reporter.report(commit, report, history),
    showsDetails: true,
    pendingReportLife: PENDING_LIFE_MS,
    mayWrite: (repo, person) => mayWrite(access.ofRepo(repo), repo, person),
    accountOf,
    lostWebhooks: (since) =>
      lostWebhooks(access.app, (event, body, deliveryId) => readPayload(event, body, deliveryId, events), since, now),
    checkLogin: (owners) => checkLogin(access, owners),
    webhooks: appWebhook(access, options),
  } satisfies Partial<Host>;
}
