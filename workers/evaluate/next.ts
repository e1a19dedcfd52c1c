/** What must be queued after a decision was written. */
export interface Next {
  deliver: string | null;
  /** The delivery that may be prepared while its CI runs. */
  prepare: string | null;
  /** Artifacts whose moving names may have to move. */
  names: string[];
}

export const NOTHING: Next = { deliver: null, prepare: null, names: [] };
