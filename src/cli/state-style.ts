import type { DeliveryState } from "../delivery/types.ts";
import type { Style } from "./terminal.ts";

const STYLES: Record<DeliveryState | "unknown", Style> = {
  waiting: "yellow",
  queued: "cyan",
  building: "cyan",
  publishing: "cyan",
  delivered: "green",
  failed: "red",
  cancelled: "gray",
  superseded: "gray",
  ignored: "gray",
  unknown: "gray",
};

/** The colour of a delivery's state. A newer server may have states that this program does not know. */
export function stateStyle(state: DeliveryState | "unknown"): Style | null {
  return STYLES[state] ?? null;
}
