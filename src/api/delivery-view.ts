import type { DeliveryState } from "../delivery/types.ts";
import { artifactsOf } from "../ledger/artifacts.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { iso, repoName } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { listReleases } from "../ledger/releases.ts";

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
  const { id, sha, ref, state, because, version } = delivery;
  const { items: releases } = await listReleases(ledger, { repoId: delivery.repoId, sha, limit: 200 });
  const rows = await artifactsOf(ledger, id);
  const planned = (delivery.plan?.artifacts ?? []).map(({ name, kind }) => ({
    name,
    kind,
    state: "pending",
    digest: null,
  }));
  const artifacts = (rows.length > 0 ? rows : planned).map((row) => {
    const released = releases.find((release) => release.artifact === row.name);
    return {
      name: row.name,
      kind: row.kind,
      state: row.state,
      digest: row.digest,
      version: released?.version ?? version,
    };
  });
  const { createdAt, startedAt, finishedAt } = delivery;
  return {
    id,
    repo: await repoName(ledger, delivery.repoId),
    sha,
    ref,
    state,
    because,
    artifacts,
    createdAt: iso(createdAt),
    startedAt: startedAt === null ? null : iso(startedAt),
    finishedAt: finishedAt === null ? null : iso(finishedAt),
  };
}
