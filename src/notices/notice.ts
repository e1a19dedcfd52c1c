import { createHash } from "node:crypto";
import { shownAddress } from "../delivery/webhook-address.ts";

/** The message that a release is ready to deploy, as a CloudEvent in plain data. */
export interface Notice {
  /** The same for every attempt to send this notice. */
  id: string;
  /** The CloudEvent in structured mode. */
  event: Record<string, unknown>;
}

/** What a receiver answered to a request that is no notice, in words for people. */
export interface Probe {
  text: string;
  /** Null: nothing speaks against it that notices arrive. */
  doubt: string | null;
}

export interface Notifier {
  /** Identifies this receiver in the ledger. Reveals no secret. */
  readonly key: string;
  /** Identifies the receiver's address without its query, which may hold a secret that changes. Reveals no secret. */
  readonly place: string;
  /** Scheme and host of the receiver, for people: path and query may be its secret. */
  readonly target: string;
  /**
   * Sends a notice once. The caller sends again after a TransientError, and the receiver removes duplicates by the id.
   * @param at the time of sending in ms since the epoch, by a clock that is right: receivers refuse notices that are
   * minutes old. If left out, the clock of this process
   * @throws TransientError to be sent again; Refused if the receiver will never accept it
   */
  send(notice: Notice, signal: AbortSignal, at?: number): Promise<void>;
  /**
   * Asks whether the receiver can be reached, and sends no notice.
   * @throws TransientError, Refused where a notice would not arrive either
   */
  probe(signal: AbortSignal): Promise<Probe>;
}

/** The `place` of the notifier at this address. The ledgers of older versions hold the address itself. */
export function placeOf(address: string): string {
  return idOf(shownAddress(address));
}

/** Identifies a receiver without showing its address. */
export function idOf(address: string): string {
  return createHash("sha256").update(address).digest("hex").slice(0, 24);
}
