import { annotationsIn, reportSummary } from "../../src/delivery/report-summary.ts";
import type { DeliveryState } from "../../src/delivery/types.ts";
import type { Order, ReportDetails } from "../../src/hosts/host.ts";
import { getDelivery } from "../../src/ledger/deliveries.ts";
import { describeRelease } from "../../src/ledger/describe-release.ts";
import { releasesOfDelivery } from "../../src/ledger/releases.ts";
import type { Station } from "../station.ts";

/** What a host that shows more than a line may show of a delivery, as it stands now. Null: there is no delivery. */
export async function detailsOf(
  { ledger, mask }: Pick<Station, "ledger" | "mask">,
  id: string | null,
): Promise<ReportDetails | null> {
  const delivery = id === null ? null : await getDelivery(ledger, id);
  if (delivery === null) return null;
  const { state, createdAt, startedAt, finishedAt } = delivery;
  const because = mask(delivery.because);
  const found = await releasesOfDelivery(ledger, delivery.id);
  const releases = await Promise.all(found.map((release) => describeRelease(ledger, release)));
  return {
    ...{ deliveryId: delivery.id, stage: state, startedAt, finishedAt },
    summary: reportSummary({ because, createdAt, startedAt, finishedAt, releases }),
    annotations: state === "failed" ? annotationsIn(because) : [],
    actions: [...ACTIONS[state]],
  };
}

/** What a person may ask for in each state: what `POST …/retry` and `…/cancel` take. */
const ACTIONS: Record<DeliveryState, readonly Order["action"][]> = {
  waiting: ["cancel"],
  queued: ["cancel"],
  building: ["cancel"],
  publishing: ["cancel"],
  delivered: [],
  failed: ["retry"],
  cancelled: ["retry"],
  superseded: ["retry"],
  ignored: [],
};
