import * as z from "zod";
import { Refused } from "../../delivery/errors.ts";
import type { HostRepo, HostWebhooks, WebhookDelivery } from "../host.ts";
import { unlessDeclined } from "../rest/failure.ts";
import { MAX_DELIVERIES, restWebhooks, type WebhookPlace } from "../rest/webhooks.ts";
import type { GitHubApi } from "./api.ts";
import { WEBHOOK_EVENTS } from "./events.ts";
import { answerOf, readDeliveries, readHooks } from "./hook-facts.ts";
import { signedPing } from "./signed-ping.ts";

interface WebhookOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  webhookSecret: string;
  /** Null: GitHub shows nobody's webhooks without one. */
  token: string | null;
}

/** The parts of GitHub's routes. */
interface Place extends WebhookPlace {
  path: string;
  parameters: Record<string, string>;
}

/** https://docs.github.com/en/rest/repos/webhooks and https://docs.github.com/en/rest/orgs/webhooks */
export function githubWebhooks(api: GitHubApi, { key, webhookSecret, token }: WebhookOptions): HostWebhooks {
  const wantedOf = (url: string) => ({
    config: { url, content_type: "json", insecure_ssl: "0", secret: webhookSecret },
    events: [...WEBHOOK_EVENTS],
    active: true,
  });
  return restWebhooks<Place>({
    product: "GitHub",
    account: token === null ? null : `the token of hosts.${key}`,
    withoutAccount: `hosts.${key}.token is not set, and GitHub shows webhooks only with a token`,
    rights:
      "a classic token needs the scope 'admin:repo_hook', which 'repo' includes; a fine-grained token or an app needs " +
      "'Webhooks: read and write'. Either way its owner must administer the repo",
    forbidden: (message) => new Refused("github-webhooks-forbidden", message),
    refused: (message) => new Refused("github-webhook-refused", message),
    placeOfRepo: ({ owner, name }) => ({
      on: "repo",
      path: "/repos/{owner}/{repo}/hooks",
      parameters: { owner, repo: name },
    }),
    placesOfOwners: ({ owner }) => [{ on: "owner", path: "/orgs/{org}/hooks", parameters: { org: owner } }],
    unseenOf: (repo) => unseenOf(api, repo),
    list: async ({ path, parameters }) => readHooks(await api.list(`GET ${path}`, parameters), WEBHOOK_EVENTS),
    create: async ({ path, parameters }, url) => {
      // GitHub itself pings a new webhook.
      await api.send(`POST ${path}`, { ...parameters, name: "web", ...wantedOf(url) });
    },
    update: async ({ path, parameters }, id, url) => {
      const of = { ...parameters, hook_id: id };
      await api.send(`PATCH ${path}/{hook_id}`, { ...of, ...wantedOf(url) });
      await api.send(`POST ${path}/{hook_id}/pings`, of);
    },
    delete: async ({ path, parameters }, id) => {
      await api.send(`DELETE ${path}/{hook_id}`, { ...parameters, hook_id: id });
    },
    deliveries: (place, id) => lastDeliveries(api, place, id),
    ping: () => signedPing(webhookSecret),
  });
}

function lastDeliveries(api: GitHubApi, { path, parameters }: Place, id: string): Promise<WebhookDelivery[]> {
  return deliveriesAt(api, `GET ${path}/{hook_id}/deliveries`, { ...parameters, hook_id: id });
}

/** The last deliveries that a list has, the newest first. The newest failed one has what the receiver answered. */
export async function deliveriesAt(
  api: GitHubApi,
  route: string,
  of: Record<string, unknown>,
): Promise<WebhookDelivery[]> {
  // GitHub Enterprise Server before 3.2 has no such list.
  const listed = await unlessDeclined(api.get(route, { ...of, per_page: MAX_DELIVERIES }), []);
  const deliveries = readDeliveries(Array.isArray(listed) ? listed : [listed]);
  const failed = deliveries.find(({ failure }) => failure !== null);
  if (failed === undefined || failed.status === null) return deliveries;
  // GitHub keeps what was answered for three days only.
  const whole = await unlessDeclined(api.get(`${route}/{delivery_id}`, { ...of, delivery_id: failed.id }), null);
  const answer = answerOf(whole);
  if (answer !== "") failed.failure = answer;
  return deliveries;
}

/** The token may not list the webhooks of an organisation; a user has none. */
async function unseenOf(api: GitHubApi, { owner, name }: HostRepo): Promise<string | null> {
  const shape = z.object({ owner: z.object({ type: z.string() }) });
  const answer = await api.get("GET /repos/{owner}/{repo}", { owner, repo: name });
  if (shape.safeParse(answer).data?.owner.type !== "Organization") return null;
  return (
    `the token may not see the webhooks of the organisation ${owner} ` +
    "(scope 'admin:org_hook', or the right 'Webhooks: read' of the organisation)"
  );
}
