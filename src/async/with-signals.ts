/**
 * Runs `work` with a signal that aborts when one of `signals` does, with the same reason. Unlike with
 * AbortSignal.any(), nothing stays attached to the signals afterwards: they may live as long as the process.
 * @throws the reason of a signal that has already aborted
 */
export async function withSignals<T>(signals: AbortSignal[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  for (const signal of signals) signal.throwIfAborted();
  const stop = new AbortController();
  const abort = ({ target }: Event) => stop.abort((target as AbortSignal).reason);
  for (const signal of signals) signal.addEventListener("abort", abort, { once: true });
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}
