import { setMaxListeners } from "node:events";

/** A signal that any number of works may listen to. */
export function anySignal(...signals: AbortSignal[]): AbortSignal {
  const any = AbortSignal.any(signals);
  setMaxListeners(0, any);
  return any;
}
