/** The message that a release is ready to deploy, as a CloudEvent in plain data. */
export interface Notice {
  /** A function of the release: a resend bears the same. */
  id: string;
  /** The structured CloudEvent. */
  event: Record<string, unknown>;
}

export interface Notifier {
  /** Tells this receiver from all others, in the ledger: no secret can be read from it. */
  readonly key: string;
  /** Where it goes, for logs: no secret in it. */
  readonly target: string;
  /**
   * At least once; the receiver deduplicates by id. @throws TransientError to be sent again, Refused when the receiver will never take it.
   * @param at when it is sent, in ms since the epoch: by a clock that is surely right, since receivers refuse what is minutes old. Left out: this process's
   */
  send(notice: Notice, signal: AbortSignal, at?: number): Promise<void>;
}
