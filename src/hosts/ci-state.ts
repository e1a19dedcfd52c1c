import { settleAll } from "../async/settle-all.ts";
import { type HostRequired, judge } from "../delivery/gate.ts";
import type { Check, CommitRef, Gate } from "../delivery/types.ts";
import type { Host } from "./host.ts";

/** What a host knows of the CI of a commit, in the words of the gate. */
export interface CiReader {
  /**
   * All that is reported at exactly this sha; our own reports may be among them.
   * @param hostNow ms since the epoch, by the host's clock as of its last answer
   * @throws TransientError if the host does not answer whole lists, Refused if it has no such commit
   */
  readChecks(commit: CommitRef, gate: Gate, hostNow: () => number): Promise<Check[]>;
  /** What the host requires of a commit on any of these branches. Null: nothing, or it does not say. @throws TransientError */
  readRequired(commit: CommitRef, branches: readonly string[]): Promise<HostRequired[] | null>;
  /** How far the host's clock is ahead of ours, in ms, as of its last answer. */
  clockAhead(): number;
}

/** Makes `Host.ciState` from what a host can read: it asks for no more than the gate needs, and judges. */
export function ciStateBy(reader: CiReader): Host["ciState"] {
  return async (commit, gate, branches, now) => {
    if (gate.ci === "none") return judge([], gate, { hostRequired: null, now });
    const asksHost = gate.required.length === 0;
    const [checks, hostRequired] = await settleAll([
      // The times of checks are by the host's clock, and ours may be hours off.
      reader.readChecks(commit, gate, () => now + reader.clockAhead()),
      asksHost ? reader.readRequired(commit, branches) : null,
    ]);
    const ahead = reader.clockAhead();
    const judged = judge(checks, gate, { hostRequired, now: now + ahead });
    return { ...judged, retryAt: judged.retryAt === null ? null : judged.retryAt - ahead };
  };
}
