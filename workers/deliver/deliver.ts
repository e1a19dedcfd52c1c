import { ACTIVE_STATES, getDelivery } from "../../src/ledger/deliveries.ts";
import { lastHintId } from "../../src/ledger/hints.ts";
import { type Due, nextDueDelivery } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { hasNewsSince, markHintsSeen, type Watermark } from "../../src/ledger/watermark.ts";
import { endTrace, inTrace, span } from "../../src/observe/span.ts";
import { MAX_REF_AGE_MS } from "../commit/sync-mirror.ts";
import type { Station } from "../station.ts";
import { type Lease, takeLease } from "./lease.ts";
import { type LineParts, passed, walkLine } from "./line.ts";
import { type SettleParts, settleFailure } from "./settle-failure.ts";
import { factsOf, subjectOf } from "./trace.ts";
import { type Running, type Tools, underLease } from "./under-lease.ts";

/** What a delivery uses of the station. */
export type DeliverParts = LineParts & SettleParts & Pick<Station, "owner" | "tmp" | "queueWait" | "stageSeconds">;

/**
 * One attempt at the delivery whose turn it is: takes the lease, walks the line, and writes down how it ended. What an
 * earlier attempt recorded is not done again. Returns when the attempt is over, however it ended, or where none is due.
 */
export async function deliverNext(station: DeliverParts, running: Running): Promise<void> {
  const { ledger } = station;
  const taken = await takeNext(station);
  if (taken === null) return;
  const { id, lease } = taken;
  // Null: the attempt went on with what was begun and read nothing, or could not even read this.
  let watermark: Watermark | null = null;
  const attempt = async (tools: Tools): Promise<void> => {
    try {
      const readFrom = {
        lastHintId: await lastHintId(ledger),
        refsReadAt: (await storeTime(ledger)) - MAX_REF_AGE_MS,
      };
      const delivery = await getDelivery(ledger, id);
      if (delivery === null) throw new Error(`delivery ${id} was claimed and is gone`);
      if (delivery.naming === null) watermark = readFrom;
      passed("claim");
      await span("line", {}, () => walkLine(station, delivery, lease, tools, readFrom));
    } catch (error) {
      await settleFailure(station, id, lease, tools, lease.signal.aborted ? lease.signal.reason : error);
    }
  };
  // Nothing may fail between the claim and this: a lease that nobody stops is renewed for ever.
  await underLease(station, id, lease, running, (tools) =>
    inTrace(subjectOf(taken), "deliver", factsOf(taken), () => attempt(tools)),
  );
  await evaluateAfterNews(station, id, watermark);
}

/** Whoever loses a delivery to another worker asks again: that delivery is out of the way now. */
async function takeNext(
  station: Pick<Station, "ledger" | "owner" | "queueWait" | "stageSeconds">,
): Promise<(Due & { lease: Lease }) | null> {
  for (;;) {
    const due = await nextDueDelivery(station.ledger);
    if (due === null) return null;
    const lease = await takeLease(station.ledger, due.id, station.owner);
    if (lease === null) continue;
    countWait(station, due);
    return { ...due, lease };
  }
}

function countWait(
  { queueWait, stageSeconds }: Pick<Station, "queueWait" | "stageSeconds">,
  { state, dueFor, inState }: Due,
): void {
  queueWait.observe({}, dueFor / 1000);
  // In another state, its worker died: the time until now was not all in that state.
  if (state === "queued") stageSeconds.observe({ stage: "queued" }, inState / 1000);
}

/**
 * Hints about a commit under way wait for the attempt's end: a tag that it did not read, a CI that turned red or green
 * since. The ledger holds all of them, so the job is only the quicker way.
 * @param watermark null: the attempt read nothing
 */
async function evaluateAfterNews(
  { ledger, queues }: Pick<Station, "ledger" | "queues">,
  id: string,
  watermark: Watermark | null,
): Promise<void> {
  // Read once more: another worker may have the delivery by now, or a person may have queued it again.
  const delivery = await getDelivery(ledger, id);
  if (delivery === null || ACTIVE_STATES.some((state) => state === delivery.state)) return;
  if (delivery.finishedAt !== null)
    endTrace(subjectOf(delivery), { ...factsOf(delivery), outcome: delivery.state }, delivery.createdAt);
  const { repoId, sha, lookAt } = delivery;
  const isNews = watermark === null || (await hasNewsSince(ledger, repoId, sha, watermark));
  if (watermark !== null) await markHintsSeen(ledger, delivery, watermark);
  if (!isNews && lookAt === null) return;
  await queues.add("evaluate", { repo: repoId, sha, ref: null });
}
