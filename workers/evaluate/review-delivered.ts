import { type Delivery, setState } from "../../src/ledger/deliveries.ts";
import { queueNameUpdate } from "../../src/ledger/name-updates.ts";
import type { StatusParts } from "../../src/ledger/statuses.ts";
import { type AfterReleaseParts, reportGone, reportRedAfterRelease } from "../commit/after-release.ts";
import { type Inspection, planOfInspection, type Subject } from "../commit/inspect.ts";
import { lacksNames } from "../commit/missing-names.ts";
import type { Station } from "../station.ts";
import { type Next, NOTHING } from "./next.ts";

export type ReviewParts = AfterReleaseParts & StatusParts & Pick<Station, "config" | "ledger">;

/**
 * A delivered commit may have gained a version or a branch since, or its CI may have turned red. Nothing is taken back.
 */
export async function reviewDelivered(
  station: ReviewParts,
  { repo, mirror }: Subject,
  delivery: Delivery,
  found: Inspection,
): Promise<Next> {
  const { ledger } = station;
  const { verdict } = found;
  const refs = found.kind === "gone" ? [] : found.refs;
  if (verdict.bad === "red") await reportRedAfterRelease(station, delivery, verdict.because);
  // A branch that leaves a commit long after its release is no news; one that left it while it was being named was
  // decided without it.
  if (delivery.lookAt !== null && refs.length === 0) await reportGone(station, delivery, verdict.because);
  const plan = planOfInspection(found);
  if (plan === null || refs.length === 0) return NOTHING;
  const names = plan.artifacts.map((artifact) => artifact.name);
  await ledger.transaction(async (tx) => {
    for (const artifact of names)
      await queueNameUpdate(tx, { repoId: repo.id, sha: delivery.sha, deliveryId: delivery.id, artifact });
  });
  if (verdict.action !== "deliver") return { ...NOTHING, names };
  if (!(await lacksNames(station, repo, mirror, delivery, plan, refs))) return { ...NOTHING, names };
  const because = "the commit has a new name: publishing it";
  const moved = await setState(ledger, delivery.id, { from: ["delivered"], to: "queued", because });
  return { ...NOTHING, deliver: moved ? delivery.id : null, names };
}
