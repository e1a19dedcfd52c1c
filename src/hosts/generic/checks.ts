import type { Check } from "../../delivery/types.ts";
import type { PushedCheck } from "../host-tools.ts";

const STATES: Record<PushedCheck["state"], Check["state"]> = {
  pending: "pending",
  success: "passed",
  failure: "failed",
  skipped: "passed",
};

/** A pushed result in the words of the gate. Nobody vouches for the app that sent it. */
export function checkOf({ name, state, url, at }: PushedCheck): Check {
  return {
    ...{ name, source: "status", state: STATES[state], app: null, appId: null, detail: state, at },
    ...(url === null ? {} : { url }),
  };
}
