/** Without it, the SDK writes warnings to the console, between the lines of our log. Its errors say the same. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Settings of every client of AWS's SDK. The SDK itself reads credentials, `AWS_ENDPOINT_URL_…` and `AWS_MAX_ATTEMPTS`.
 */
export function clientSettings(region: string) {
  return {
    region,
    logger: silent,
    // ms. Without them the SDK waits for a dead connection without end.
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
  };
}

/** Calls `make` at the first call, and once: the SDK is loaded only if the configuration uses it. */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    // A failure is not kept: the next call tries again.
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
