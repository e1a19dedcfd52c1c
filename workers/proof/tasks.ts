import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { OutboxEntry } from "../../src/ledger/outbox.ts";
import { setPlace } from "../../src/ledger/proof-places.ts";
import type { ProofTask } from "../../src/ledger/proof-tasks.ts";
import { noteUnsigned } from "../../src/ledger/proofs.ts";
import { type AttachParts, attachProof } from "./attach.ts";
import { type SignParts, signProof } from "./sign.ts";

/** What tasks about proofs use of the station. */
export type ProofParts = SignParts & AttachParts;

/**
 * Does one task of the outbox about a proof. A release does not wait for it: it says how its proof stands.
 * @throws as the signer and the registry do
 */
export async function doProofTask(station: ProofParts, row: OutboxEntry, signal: AbortSignal): Promise<void> {
  const task = row.payload as ProofTask;
  try {
    if (task.step === "sign") await signProof(station, task.releaseId);
    else await attachProof(station, task, signal);
  } catch (error) {
    await note(station, task, error).catch(() => {});
    throw error;
  }
}

/** Shows on the release why its proof does not stand yet, or never will. */
async function note({ ledger, mask }: ProofParts, task: ProofTask, error: unknown): Promise<void> {
  const because = mask(error instanceof Error ? error.message : String(error));
  if (task.step === "sign") return noteUnsigned(ledger, task.releaseId, because);
  // Another worker at the same subject is no fault.
  if (error instanceof TransientError && error.code === "proof-busy") return;
  await setPlace(ledger, task.releaseId, task, error instanceof Refused ? "refused" : "owed", because);
}
