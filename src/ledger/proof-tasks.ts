import { createHash } from "node:crypto";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Tx } from "./ledger.ts";
import { newOutboxRow } from "./outbox-row.ts";
import { fromNow } from "./sql.ts";

/** The payload of a row of the outbox that is about a proof. */
export type ProofTask =
  | { step: "sign"; releaseId: string }
  /** `again`: it was put there a moment ago. It is read back once more, since others may have written meanwhile. */
  | {
      step: "attach";
      releaseId: string;
      registry: string;
      repository: string;
      again: boolean;
      /** The name that the content got there afterwards. Left out: it had all its names when it was signed. */
      tag?: string;
    };

export interface ProofOf {
  repoId: RepoId;
  sha: Sha;
  deliveryId: string;
}

/** Queues a task, once for each. @param delay ms before it is due */
export async function queueProofTask(tx: Tx, of: ProofOf, task: ProofTask, delay = 0): Promise<void> {
  const { repoId, sha, deliveryId } = of;
  const payload = JSON.stringify(task);
  // A registry that does not answer holds up neither the signing nor another registry.
  const lane = task.step === "sign" ? "proof" : `proof ${task.registry}`;
  const id = `proof-${createHash("sha256").update(payload).digest("hex").slice(0, 24)}`;
  const row = newOutboxRow(tx, { id, kind: "proof", repoId, sha, deliveryId, payload, lane });
  await tx.db
    .insertInto("outbox")
    .values({ ...row, retryAt: delay > 0 ? fromNow(tx, delay) : null })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}
