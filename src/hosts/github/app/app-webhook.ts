import * as z from "zod";
import { Refused } from "../../../delivery/errors.ts";
import { fitOf, shownAddress } from "../../../delivery/webhook-address.ts";
import type { HostWebhooks, WebhookAddress, WebhookChange, WebhookState } from "../../host.ts";
import { unlessDeclined } from "../../rest/failure.ts";
import { Declined } from "../api.ts";
import { faultsOf } from "../hook-facts.ts";
import { readAnswer } from "../payload.ts";
import { signedPing } from "../signed-ping.ts";
import { deliveriesAt } from "../webhooks.ts";
import type { AppAccess } from "./app-access.ts";
import { APP_EVENTS } from "./app-events.ts";
import { readApp } from "./check-login.ts";

/** https://docs.github.com/en/rest/apps/webhooks */
const config = z.object({
  url: z.string().nullish(),
  content_type: z.string().nullish(),
  secret: z.string().nullish(),
  insecure_ssl: z.union([z.string(), z.number()]).nullish(),
});

/**
 * An App has one webhook for all repos of all its installations. Its address and secret can be set by the API; its
 * events can only be ticked on the App's page.
 */
export function appWebhook(
  access: AppAccess,
  { key, webhookSecret }: { key: string; webhookSecret: string },
): HostWebhooks {
  return {
    check: (_repo, address) => check(access, address),
    add: (_repo, address) => add(access, webhookSecret, address),
    async remove({ owner, name }) {
      throw new Refused(
        "github-app-webhook-shared",
        `The webhook of ${owner}/${name} is that of the App of hosts.${key}, which serves all its repos: take the repo out of the ` +
          "App's installation (Repository access), or out of repos in the configuration.",
      );
    },
    ping: () => signedPing(webhookSecret),
  };
}

async function check(access: AppAccess, address: WebhookAddress): Promise<WebhookState> {
  const { url, faults } = await readWebhook(access, address);
  if (url === "") return { kind: "missing", unseen: null };
  const webhook = { id: String(access.appId), url: shownAddress(url), on: "owner" as const, faults };
  return { kind: "registered", webhook, deliveries: await deliveriesAt(access.app, "GET /app/hook/deliveries", {}) };
}

async function readWebhook(access: AppAccess, { url: wanted }: WebhookAddress) {
  const { events, html_url } = await readApp(access);
  const [found] = readAnswer("the App's webhook", config, [
    // An App may have no webhook.
    await unlessDeclined(access.app.get("GET /app/hook/config", {}), {}),
  ]);
  const url = found?.url ?? "";
  // GitHub does not say whether it is active.
  const elsewhere =
    url === "" || fitOf(url, wanted, []) === "same" ? [] : [`it sends to ${shownAddress(url)}, not to ${wanted}`];
  const faults = [...elsewhere, ...faultsOf({ id: access.appId, active: true, events, config: { ...found, url } }, [])];
  const unsent = APP_EVENTS.filter((event) => !events.includes(event));
  const unticked = unsent.length === 0 ? [] : [`it does not send ${unsent.join(", ")}: tick them at ${html_url}`];
  return { url, faults: [...faults, ...unticked], unticked };
}

async function add(access: AppAccess, secret: string, address: WebhookAddress): Promise<WebhookChange> {
  const { url } = address;
  const { url: before, faults, unticked } = await readWebhook(access, address);
  try {
    // octokit takes a parameter `url` for the address of the request.
    const data = { url, content_type: "json", insecure_ssl: "0", secret };
    await access.app.send("PATCH /app/hook/config", { data });
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    throw new Refused(
      "github-webhook-refused",
      `GitHub does not take ${url} as the webhook of the App (${error.status}): ${error.message}`,
    );
  }
  if (unticked.length > 0)
    throw new Refused(
      "github-app-events-missing",
      `The webhook of the App sends to ${url} now, but ${unticked.join()}.`,
    );
  if (before === "") return { kind: "added", url, pings: false };
  return faults.length === 0
    ? { kind: "renewed", url, pings: false }
    : { kind: "repaired", url, changes: faults, pings: false };
}
