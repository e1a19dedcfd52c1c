import { setMaxListeners } from "node:events";

/** `AbortSignal.any`, without the warning about many listeners. */
export function anySignal(...signals: AbortSignal[]): AbortSignal {
  const any = AbortSignal.any(signals);
  setMaxListeners(0, any);
  return any;
}
