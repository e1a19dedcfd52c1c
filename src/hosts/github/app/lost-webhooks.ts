import * as z from "zod";
import { mapLimit } from "../../../async/map-limit.ts";
import { type LostWebhooks, MalformedWebhook, type WebhookReading } from "../../host.ts";
import { time } from "../../payload.ts";
import { Declined, type GitHubApi } from "../api.ts";
import { readAnswer } from "../payload.ts";

/** https://docs.github.com/en/rest/apps/webhooks */
const delivery = z.object({
  id: z.union([z.number(), z.string()]),
  guid: z.string(),
  delivered_at: time,
  status_code: z.number(),
  event: z.string(),
});

type Delivery = z.output<typeof delivery>;

/** GitHub gives up after 10 s: so long (ms) after a webhook was sent, it is known whether it arrived. */
const UNDECIDED_MS = 60_000;

/** Each is one call. What is left out is found by the sweep, only later. */
const MAX_READ = 200;
const AT_ONCE = 4;

const whole = z.object({ event: z.string(), request: z.object({ payload: z.unknown() }) });

/**
 * The webhooks of the App since then that were not answered with success. GitHub does not send them again by itself. One
 * that somebody has sent again is read too: a hint may come twice.
 * @param now ms since the epoch, by our clock
 * @param read as `readPayload`
 */
export async function lostWebhooks(
  app: GitHubApi,
  read: (event: string, body: unknown, deliveryId: string) => WebhookReading,
  since: number,
  now: () => number,
): Promise<LostWebhooks> {
  const began = now();
  const failed = await listFailed(app, since);
  const found: LostWebhooks = { hints: [], orders: [], until: began + app.clockAhead() - UNDECIDED_MS };
  // Several attempts of one webhook have the same guid.
  const each = [...new Map(failed.map((one) => [one.guid, one])).values()].slice(0, MAX_READ);
  const readings = await mapLimit(each, AT_ONCE, (one) => readingOf(app, read, one));
  for (const reading of readings) {
    if (reading === null || "ignored" in reading) continue;
    found.hints.push(...reading.hints);
    found.orders.push(...(reading.orders ?? []));
  }
  return found;
}

/** Newest first. */
async function listFailed(app: GitHubApi, since: number): Promise<Delivery[]> {
  const read = (items: unknown[]) => readAnswer("a delivery of a webhook", delivery, items);
  // An older GitHub Enterprise Server does not know `status`, and lists all.
  const items = await app.list("GET /app/hook/deliveries", { status: "failure" }, (page) =>
    read(page).some(({ delivered_at }) => delivered_at < since),
  );
  return read(items).filter((one) => one.delivered_at >= since && (one.status_code < 200 || one.status_code > 299));
}

async function readingOf(
  app: GitHubApi,
  read: (event: string, body: unknown, deliveryId: string) => WebhookReading,
  { id, guid }: Delivery,
): Promise<WebhookReading | null> {
  try {
    const answer = await app.get("GET /app/hook/deliveries/{delivery_id}", { delivery_id: id });
    const [sent] = readAnswer("a delivery of a webhook", whole, [answer]);
    return sent === undefined ? null : read(sent.event, sent.request.payload, guid.slice(0, 100));
  } catch (error) {
    // GitHub keeps what was sent for a few days only, and sends events that deliverd cannot read.
    if (error instanceof Declined || error instanceof MalformedWebhook) return null;
    throw error;
  }
}
