import { randomUUID } from "node:crypto";
import * as z from "zod";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { HostWebhooks } from "../host.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { restWebhooks, type WebhookPlace } from "../rest/webhooks.ts";
import type { CiEvents } from "./ci-events.ts";
import { readHooks, WEBHOOK_EVENTS } from "./hook-facts.ts";
import { readAnswer, routeOf } from "./payload.ts";
import type { WebhookProof } from "./signature.ts";

interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  webhookSecret: string;
  proof: WebhookProof;
  ciEvents: CiEvents;
  /** Null: Gitea shows nobody's webhooks without one. */
  token: string | null;
}

interface Place extends WebhookPlace {
  route: string;
}

/** The API for webhooks of repos and organisations, which `<url>/api/swagger` describes. */
export function giteaWebhooks(api: RestApi, options: WebhookOptions): HostWebhooks {
  const { key, proof, ciEvents, token } = options;
  return restWebhooks<Place>({
    product: "Gitea",
    account: token === null ? null : `the token of hosts.${key}`,
    withoutAccount: `hosts.${key}.token is not set, and Gitea shows webhooks only with a token`,
    rights:
      "the token needs the scope 'write:repository', and its owner must administer the repo; for webhooks of an " +
      "organisation, the scope 'read:organization', and its owner must own the organisation",
    forbidden: (message) => new Refused("gitea-webhooks-forbidden", message),
    refused: (message) => new Refused("gitea-webhook-refused", message),
    placeOfRepo: (repo) => ({ on: "repo", route: `${routeOf(repo)}/hooks` }),
    placesOfOwners: ({ owner }) => [{ on: "owner", route: path`/orgs/${owner}/hooks` }],
    unseenOf: ({ owner }) => unseenOf(api, owner),
    async list({ route }) {
      await ciEvents.refresh();
      return readHooks(await api.list(route), ciEvents.areSent);
    },
    create: ({ route }, url) => create(api, route, url, options.webhookSecret),
    // Gitea keeps the old secret when a webhook is changed.
    async update({ route }, id, url) {
      await create(api, route, url, options.webhookSecret);
      await api.delete(`${route}/${id}`);
    },
    delete: ({ route }, id) => api.delete(`${route}/${id}`),
    ping: () => signedPing(proof),
  });
}

const added = z.object({ id: z.number().int() });

async function create(api: RestApi, route: string, url: string, secret: string): Promise<void> {
  const wanted = { type: "gitea", active: true, events: WEBHOOK_EVENTS, config: { url, content_type: "json", secret } };
  const [hook] = readAnswer("a webhook", added, [await api.post(route, wanted)]);
  if (hook !== undefined) await sendTest(api, `${route}/${hook.id}`);
}

/**
 * Gitea sends the newest push, which changes nothing here; whether it arrives shows whether deliverd is reached. Only its
 * own page of the webhook says what came of it.
 */
async function sendTest(api: RestApi, route: string): Promise<void> {
  try {
    await api.post(`${route}/tests`, {});
  } catch (error) {
    if (!(error instanceof Declined || error instanceof TransientError)) throw error;
  }
}

/** A user has no webhooks for all repos that the API would show of another user. */
async function unseenOf(api: RestApi, owner: string): Promise<string | null> {
  try {
    await api.get(path`/orgs/${owner}`);
  } catch (error) {
    if (error instanceof Declined && error.status === 404) return null;
    if (!(error instanceof Declined)) throw error;
  }
  return `the token may not see the webhooks of the organisation ${owner} (scope 'read:organization', as an owner)`;
}

function signedPing(proof: WebhookProof): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ zen: "deliverd asks whether it reaches itself." }));
  const headers = { "x-gitea-event": "ping", "x-gitea-delivery": randomUUID(), ...proof.headersFor(body) };
  return { headers: { "content-type": "application/json", ...headers }, body };
}
