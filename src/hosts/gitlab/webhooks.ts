import { Refused, TransientError } from "../../delivery/errors.ts";
import type { HostWebhooks, WebhookDelivery } from "../host.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined, unlessDeclined } from "../rest/failure.ts";
import { MAX_DELIVERIES, restWebhooks, type WebhookPlace } from "../rest/webhooks.ts";
import { readDeliveries, readHooks, WEBHOOK_EVENTS } from "./hook-facts.ts";
import type { WebhookProof } from "./signature.ts";

interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  proof: WebhookProof;
  /** Null: GitLab shows nobody's webhooks without one. */
  token: string | null;
}

interface Place extends WebhookPlace {
  route: string;
}

/** https://docs.gitlab.com/api/project_webhooks/ and https://docs.gitlab.com/api/group_webhooks/ */
export function gitlabWebhooks(api: RestApi, { key, proof, token }: WebhookOptions): HostWebhooks {
  const bySignature = "signing_token" in proof.settings;
  const list = async ({ route }: Place) => readHooks(await api.list(route), bySignature);
  return restWebhooks<Place>({
    product: "GitLab",
    account: token === null ? null : `the token of hosts.${key}`,
    withoutAccount: `hosts.${key}.token is not set, and GitLab shows webhooks only with a token`,
    rights:
      "the token needs the scope 'api', and its owner the role Maintainer or Owner of the project " +
      "(a project access token: that role)",
    forbidden: (message) => new Refused("gitlab-webhooks-forbidden", message),
    refused: (message) => new Refused("gitlab-webhook-refused", message),
    placeOfRepo: ({ hostId }) => ({ on: "repo", route: path`/projects/${hostId}/hooks` }),
    // Groups have webhooks in paid tiers only.
    placesOfOwners: ({ owner }) =>
      groupsAbove(owner).map((group) => ({ on: "owner", route: path`/groups/${group}/hooks` })),
    list,
    create: async ({ route }, url) => {
      const [added] = readHooks([await api.post(route, wantedOf(proof, url))], bySignature);
      if (added !== undefined) await sendTest(api, `${route}/${added.id}`);
    },
    update: async ({ route }, id, url) => {
      await api.put(`${route}/${id}`, { ...wantedOf(proof, url), custom_webhook_template: "" });
      await sendTest(api, `${route}/${id}`);
    },
    delete: ({ route }, id) => api.delete(`${route}/${id}`),
    deliveries: ({ route }, id) => lastDeliveries(api, `${route}/${id}`),
    ping: () => signedPing(proof),
  });
}

/** `a/b/c`, `a/b` and `a`: a webhook of a group is for all groups within it. */
function groupsAbove(owner: string): string[] {
  const segments = owner.split("/");
  return segments.map((_segment, at) => segments.slice(0, segments.length - at).join("/"));
}

/** GitLab before 17.3 has no such list. */
async function lastDeliveries(api: RestApi, route: string): Promise<WebhookDelivery[]> {
  const listed = await unlessDeclined(api.get(`${route}/events`, { per_page: MAX_DELIVERIES }), []);
  return readDeliveries(Array.isArray(listed) ? listed : [listed]).toSorted((a, b) => b.at - a.at);
}

function wantedOf(proof: WebhookProof, url: string): Record<string, unknown> {
  const events = Object.fromEntries(WEBHOOK_EVENTS.map((event) => [event, true]));
  return { url, ...events, ...proof.settings, enable_ssl_verification: true, branch_filter_strategy: "all_branches" };
}

/**
 * GitLab sends the last push, which changes nothing here. It shows whether deliverd is reached, and switches a webhook on
 * again. What came of it is among the deliveries: an empty project and an older GitLab have no test, and five a minute
 * are allowed.
 */
async function sendTest(api: RestApi, route: string): Promise<void> {
  try {
    await api.post(`${route}/test/push_events`, {});
  } catch (error) {
    if (!(error instanceof Declined || error instanceof TransientError)) throw error;
  }
}

function signedPing(proof: WebhookProof): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ object_kind: "ping" }));
  return { headers: { "content-type": "application/json", ...proof.headersFor(body, Date.now()) }, body };
}
