import type { DeliveryState } from "../delivery/types.ts";
import { artifactsOfDeliveries } from "../ledger/artifacts.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { iso, repoNames } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { versionsOfCommits } from "../ledger/release-rows.ts";

/** A delivery in the API. Times are ISO 8601 in UTC. */
export interface DeliveryView {
  id: string;
  repo: string;
  sha: string;
  ref: string | null;
  state: DeliveryState;
  because: string;
  artifacts: { name: string; kind: string; state: string; digest: string | null; version: string | null }[];
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export async function deliveryView(ledger: Ledger, delivery: Delivery): Promise<DeliveryView> {
  const [view] = await deliveryViews(ledger, [delivery]);
  if (view === undefined) throw new Error(`delivery ${delivery.id} has no view`);
  return view;
}

/** The views of several deliveries, in the same order. What they need is read for all at once. */
export async function deliveryViews(ledger: Ledger, deliveries: readonly Delivery[]): Promise<DeliveryView[]> {
  const names = await repoNames(
    ledger,
    deliveries.map(({ repoId }) => repoId),
  );
  const rows = await artifactsOfDeliveries(
    ledger,
    deliveries.map(({ id }) => id),
  );
  const versions = await versionsOfCommits(ledger, deliveries);
  return deliveries.map((delivery) => {
    const { id, repoId, sha, ref, state, because, createdAt, startedAt, finishedAt } = delivery;
    const own = rows.filter((row) => row.deliveryId === id);
    const artifacts = (own.length > 0 ? own : plannedOf(delivery)).map(({ name, kind, state, digest }) => {
      const version = versions(repoId, sha, name) ?? delivery.version;
      return { name, kind, state, digest, version };
    });
    return {
      ...{ id, repo: names.get(repoId) ?? repoId, sha, ref, state, because, artifacts },
      createdAt: iso(createdAt),
      startedAt: startedAt === null ? null : iso(startedAt),
      finishedAt: finishedAt === null ? null : iso(finishedAt),
    };
  });
}

function plannedOf({ plan }: Delivery) {
  return (plan?.artifacts ?? []).map(({ name, kind }) => ({ name, kind, state: "pending", digest: null }));
}
