import * as z from "zod";
import { Refused } from "../../../delivery/errors.ts";
import type { HostWebhooks } from "../../host.ts";
import { time } from "../../payload.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { type HostHook, restWebhooks, type WebhookPlace } from "../../rest/webhooks.ts";
import { hookFaults, signedPing } from "../hook-faults.ts";
import type { WebhookProof } from "../signature.ts";
import { readers } from "./hints.ts";
import { readAnswer, routeById } from "./payload.ts";

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

/** The events that a webhook of deliverd is registered for. */
const WEBHOOK_EVENTS = [...readers.keys()];

/**
 * https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/#api-repositories-workspace-repo-slug-hooks-get
 * and https://developer.atlassian.com/cloud/bitbucket/rest/api-group-workspaces/#api-workspaces-workspace-hooks-get
 */
export function cloudWebhooks(api: RestApi, { key, proof, token }: WebhookOptions): HostWebhooks {
  const wantedOf = (url: string) => ({
    ...{ description: "deliverd", url, active: true, events: WEBHOOK_EVENTS, secret: proof.secret },
    skip_cert_verification: false,
  });
  return restWebhooks<Place>({
    product: "Bitbucket",
    account: token === null ? null : `the token of hosts.${key}`,
    withoutAccount: `hosts.${key}.token is not set, and Bitbucket shows webhooks only with a token`,
    rights:
      "an access token needs the scope 'webhook'; an API token 'read:webhook:bitbucket', 'write:webhook:bitbucket' and " +
      "'delete:webhook:bitbucket', and its owner must administer the repo",
    forbidden: (message) => new Refused("bitbucket-webhooks-forbidden", message),
    refused: (message) => new Refused("bitbucket-webhook-refused", message),
    placeOfRepo: ({ hostId }) => ({ on: "repo", route: `${routeById(hostId)}/hooks` }),
    placesOfOwners: ({ owner }) => [{ on: "owner", route: path`/workspaces/${owner}/hooks` }],
    unseenOf: async ({ owner }) => `the token may not see the webhooks of the workspace ${owner}`,
    list: async ({ route }) => readHooks(await api.list(route)),
    // Bitbucket has no test of a webhook, and lists what it sent in its pages only.
    create: async ({ route }, url) => {
      await api.post(route, wantedOf(url));
    },
    update: async ({ route }, id, url) => {
      await api.put(`${route}${path`/${id}`}`, wantedOf(url));
    },
    delete: ({ route }, id) => api.delete(`${route}${path`/${id}`}`),
    ping: () => signedPing(proof),
  });
}

const hook = z.object({
  /** In braces, as the routes need it. */
  uuid: z.string(),
  url: z.string(),
  active: z.boolean().nullish(),
  events: z.array(z.string()),
  secret_set: z.boolean().nullish(),
  skip_cert_verification: z.boolean().nullish(),
  created_at: time.nullish(),
});

function readHooks(items: unknown[]): HostHook[] {
  return readAnswer("a webhook", hook, items).map((each) => ({
    id: each.uuid,
    url: each.url,
    order: each.created_at ?? 0,
    faults: hookFaults({
      isActive: each.active !== false,
      hasSecret: each.secret_set !== false,
      verifiesTls: each.skip_cert_verification !== true,
      missing: WEBHOOK_EVENTS.filter((event) => !each.events.includes(event)),
    }),
  }));
}
