import type { Generated } from "kysely";
import type { RepoId, Sha } from "../../delivery/types.ts";

/** What a person asked for at the host of a repo, as by a re-run button. */
export interface OrdersTable {
  id: Generated<number>;
  repoId: RepoId;
  sha: Sha;
  action: "retry" | "cancel";
  /** The person's login at the host. */
  person: string;
  event: string;
  /** The host's id of the webhook request; empty: it has none. */
  deliveryId: string;
  receivedAt: number;
  /** How often the host was asked in vain whether the person may write. */
  attempts: Generated<number>;
  retryAt: number | null;
  doneAt: number | null;
  /** What came of it. */
  because: string | null;
}
