import * as z from "zod";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import { remoteText } from "../../../http/remote-text.ts";
import type { HostWebhooks, WebhookDelivery } from "../../host.ts";
import { receiverAnswer } from "../../own-hooks.ts";
import { label } from "../../payload.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { Declined, unlessDeclined } from "../../rest/failure.ts";
import { type HostHook, restWebhooks, type WebhookPlace } from "../../rest/webhooks.ts";
import { hookFaults, signedPing } from "../hook-faults.ts";
import type { WebhookProof } from "../signature.ts";
import { readAnswer, repoPath } from "./payload.ts";

interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  proof: WebhookProof;
  /** Null: Bitbucket shows nobody's webhooks without one. */
  token: string | null;
}

interface Place extends WebhookPlace {
  route: string;
}

/** The events that a webhook of deliverd is registered for. Only mirrors send what else is read. */
const WEBHOOK_EVENTS = ["repo:refs_changed", "repo:modified"];

/** https://developer.atlassian.com/server/bitbucket/rest/v816/api-group-repository/ */
export function dataCenterWebhooks(api: RestApi, { key, proof, token }: WebhookOptions): HostWebhooks {
  const wantedOf = (url: string) => ({
    ...{ name: "deliverd", url, active: true, events: WEBHOOK_EVENTS, sslVerificationRequired: true },
    configuration: { secret: proof.secret },
  });
  return restWebhooks<Place>({
    product: "Bitbucket",
    account: token === null ? null : `the token of hosts.${key}`,
    withoutAccount: `hosts.${key}.token is not set, and Bitbucket shows webhooks only with a token`,
    rights: "the token needs the right 'Repository admin'",
    forbidden: (message) => new Refused("bitbucket-webhooks-forbidden", message),
    refused: (message) => new Refused("bitbucket-webhook-refused", message),
    placeOfRepo: (repo) => ({ on: "repo", route: `/api/latest${repoPath(repo)}/webhooks` }),
    // Projects have webhooks since 8.0.
    placesOfOwners: ({ owner }) => [{ on: "owner", route: path`/api/latest/projects/${owner}/webhooks` }],
    unseenOf: async ({ owner }) => `the token may not see the webhooks of the project ${owner}`,
    list: async ({ route }) => readHooks(await api.list(route)),
    create: async ({ route }, url) => {
      const [added] = readHooks([await api.post(route, wantedOf(url))]);
      if (added !== undefined) await sendTest(api, route, added.id, url);
    },
    update: async ({ route }, id, url) => {
      await api.put(`${route}${path`/${id}`}`, wantedOf(url));
      await sendTest(api, route, id, url);
    },
    delete: ({ route }, id) => api.delete(`${route}${path`/${id}`}`),
    deliveries: ({ route }, id) => lastDeliveries(api, `${route}${path`/${id}`}/latest`),
    ping: () => signedPing(proof),
  });
}

const hook = z.object({
  id: z.number().int(),
  url: z.string(),
  active: z.boolean().nullish(),
  events: z.array(z.string()),
  configuration: z.object({ secret: z.string().nullish() }).nullish(),
  sslVerificationRequired: z.boolean().nullish(),
});

function readHooks(items: unknown[]): HostHook[] {
  return readAnswer("a webhook", hook, items).map((each) => ({
    id: String(each.id),
    url: each.url,
    order: each.id,
    faults: hookFaults({
      isActive: each.active !== false,
      // A version that hides the secret still has its key.
      hasSecret: each.configuration == null || each.configuration.secret != null,
      // Only newer versions tell it.
      verifiesTls: each.sslVerificationRequired !== false,
      missing: WEBHOOK_EVENTS.filter((event) => !each.events.includes(event)),
    }),
  }));
}

/**
 * Bitbucket sends a ping, and answers what came of it. What is wrong shows at the first push too, so a test that
 * Bitbucket does not carry out is no failure.
 */
async function sendTest(api: RestApi, route: string, webhookId: string, url: string): Promise<void> {
  const query = new URLSearchParams({ url, webhookId, sslVerificationRequired: "true" });
  try {
    await api.post(`${route}/test?${query}`, {});
  } catch (error) {
    if (!(error instanceof Declined || error instanceof TransientError)) throw error;
  }
}

const invocation = z.object({
  id: z.number(),
  event: label,
  // ms since the epoch
  start: z.number().nullish(),
  // ms
  duration: z.number().nullish(),
  result: z
    .object({
      outcome: z.string().nullish(),
      description: z.string().nullish(),
      statusCode: z.number().nullish(),
      body: z.string().nullish(),
    })
    .nullish(),
});

/** Bitbucket keeps the last one of each outcome. */
const OUTCOMES = ["SUCCESS", "FAILURE", "ERROR"];

/** The newest first. */
async function lastDeliveries(api: RestApi, route: string): Promise<WebhookDelivery[]> {
  const answers = await Promise.all(OUTCOMES.map((outcome) => unlessDeclined(api.get(route, { outcome }), undefined)));
  const found = answers.filter((answer) => answer !== undefined);
  return readAnswer("the last request of a webhook", invocation, found)
    .map(({ id, event, start, duration, result }) => ({
      id: String(id),
      at: start ?? 0,
      event: remoteText(event),
      status: statusOf(result),
      duration: duration ?? 0,
      failure:
        result?.outcome === "SUCCESS" ? null : receiverAnswer(result?.body ?? result?.description ?? "no answer"),
    }))
    .toSorted((a, b) => b.at - a.at);
}

/** Some versions have the status only as the description. */
function statusOf(result: z.output<typeof invocation>["result"]): number | null {
  const status = result?.statusCode ?? Number(result?.description ?? Number.NaN);
  return Number.isInteger(status) && status > 0 ? status : null;
}
