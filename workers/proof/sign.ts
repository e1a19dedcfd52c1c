import { createHash } from "node:crypto";
import { statementsOf } from "../../src/delivery/proof/statements.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { readLog } from "../../src/ledger/logs.ts";
import { owePlaces, type Place } from "../../src/ledger/proof-places.ts";
import { queueProofTask } from "../../src/ledger/proof-tasks.ts";
import { proofOf, saveSigned } from "../../src/ledger/proofs.ts";
import { getRelease } from "../../src/ledger/releases.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { signStatement } from "../../src/proof/bundle.ts";
import type { Station } from "../station.ts";
import { signerInUse } from "./keys.ts";

export type SignParts = Pick<Station, "ledger" | "signer" | "queues">;

/**
 * Signs the statements about a release, once: what is saved first counts, whoever else signs meanwhile. The same
 * transaction owes them to every place that has the release.
 */
export async function signProof({ ledger, signer: source, queues }: SignParts, releaseId: string): Promise<void> {
  const [release, proof] = [await getRelease(ledger, releaseId), await proofOf(ledger, releaseId)];
  if (release === null || proof === null || proof.signedAt !== null) return;
  const signer = await signerInUse(ledger, source);
  const log = await digestOfLog(ledger, release.deliveryId);
  const statements = await Promise.all(
    statementsOf({ ...proof.facts, log }).map(async (statement) => {
      const { predicateType } = statement;
      return { predicateType, bundle: await signStatement(signer, statement) };
    }),
  );
  failpoint("proof.signed");
  await ledger.transaction(async (tx) => {
    if (!(await saveSigned(tx, releaseId, signer.keyId, statements))) return;
    const places = placesOf(await locationsOfRelease(tx, release));
    await owePlaces(tx, releaseId, places);
    for (const place of places)
      await queueProofTask(tx, release, { step: "attach", releaseId, ...place, again: false });
  });
  failpoint("proof.saved");
  await queues.add("announce", {});
}

function placesOf(locations: readonly Place[]): Place[] {
  const places = locations.map(({ registry, repository }): Place => ({ registry, repository }));
  return [...new Map(places.map((place) => [JSON.stringify(place), place])).values()];
}

/** Of the log as far as it goes now. Null: it is gone already. */
async function digestOfLog(ledger: Station["ledger"], deliveryId: string) {
  const hash = createHash("sha256");
  let bytes = 0;
  for (let from = 1; ; ) {
    const chunks = await readLog(ledger, deliveryId, from);
    for (const { text } of chunks) {
      hash.update(text);
      bytes += Buffer.byteLength(text);
    }
    const last = chunks.at(-1);
    if (last === undefined) break;
    from = last.seq + 1;
  }
  return bytes === 0 ? null : { sha256: hash.digest("hex"), bytes };
}
