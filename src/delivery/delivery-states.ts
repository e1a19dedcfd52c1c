import type { DeliveryState } from "./types.ts";

const PHASES: Record<DeliveryState, "waiting" | "active" | "finished"> = {
  waiting: "waiting",
  queued: "active",
  building: "active",
  publishing: "active",
  delivered: "finished",
  failed: "finished",
  cancelled: "finished",
  superseded: "finished",
  ignored: "finished",
};
export const DELIVERY_STATES = Object.keys(PHASES) as DeliveryState[];
/** States in which a worker has the delivery, or should take it. */
export const ACTIVE_STATES = DELIVERY_STATES.filter((state) => PHASES[state] === "active");
/** States in which nothing more happens without a new hint or a person's request. */
export const FINISHED_STATES = DELIVERY_STATES.filter((state) => PHASES[state] === "finished");
/** All other states. */
export const OPEN_STATES = DELIVERY_STATES.filter((state) => PHASES[state] !== "finished");

export function isFinished(state: DeliveryState): boolean {
  return PHASES[state] === "finished";
}
