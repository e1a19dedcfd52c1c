import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { NamedArtifact, Naming } from "../../src/delivery/naming.ts";
import type { ProofNotes } from "../../src/delivery/proof/facts.ts";
import { pinDigest } from "../../src/ledger/artifacts.ts";
import { beginNaming } from "../../src/ledger/begin-naming.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { span } from "../../src/observe/span.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import type { Station } from "../station.ts";
import { Cancelled } from "./lease.ts";

type Parts = Pick<Station, "ledger" | "storeId">;

/**
 * Writes all digests and the names to be written in one transaction, or nothing of it.
 * @throws Cancelled, TransientError `lease-lost`, Refused `digest-pinned`
 */
export function pinAll(
  station: Parts,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  notes: ProofNotes | null,
): Promise<void> {
  return span("pin", {}, () => station.ledger.transaction((tx) => pinIn(tx, station, work, prepared, notes)));
}

async function pinIn(
  tx: Tx,
  station: Parts,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  notes: ProofNotes | null,
): Promise<void> {
  const { delivery, fence } = work;

  for (const each of prepared) if (each.kind === "prepared") await pin(tx, station, work, each);
  if (delivery.naming !== null) return;
  const answer = await beginNaming(tx, delivery.id, fence, namingOf(work, prepared, notes));
  switch (answer) {
    case "begun":
      return;
    case "stale":
      throw leaseLost();
    case "cancelled":
    case "superseded":
      throw new Cancelled(answer);
  }
}

function namingOf(
  { repo: { owner, name }, plan, refs, tags }: Work,
  prepared: (Prepared | Unchanged)[],
  notes: ProofNotes | null,
): Naming {
  const artifacts = prepared.map((each): NamedArtifact => {
    if (each.kind === "unchanged") return { name: each.artifact.name, kind: "unchanged", since: each.since };
    const { versions, variant, first, isFirst } = each;
    return { name: each.artifact.name, kind: "prepared", versions, variant, first, isFirst };
  });
  return { repo: { owner, name }, plan, refs, tags, artifacts, proof: notes };
}

async function pin(
  tx: Tx,
  { storeId }: Parts,
  { delivery, fence }: Work,
  { artifact, content }: Prepared,
): Promise<void> {
  const answer = await pinDigest(tx, delivery.id, artifact.name, fence, { ...content, frozenOn: storeId });
  switch (answer.kind) {
    case "pinned":
    case "same":
      return;
    case "stale":
      throw leaseLost();
    case "other":
      throw new Refused(
        "digest-pinned",
        `${artifact.name} is pinned to ${answer.digest}, and this build made ${content.digest}`,
      );
  }
}

function leaseLost(): TransientError {
  return new TransientError("lease-lost", "another worker has this delivery now");
}
