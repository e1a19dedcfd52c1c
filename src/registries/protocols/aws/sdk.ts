/** The SDK writes its warnings to the console, between our own lines; what goes wrong is told by the errors. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What every client of AWS's SDK is made with. Credentials, `AWS_ENDPOINT_URL_…` and `AWS_MAX_ATTEMPTS` are the SDK's own affair. */
export function clientSettings(region: string) {
  return {
    region,
    logger: silent,
    // ms; without them a connection that went dead is waited for without end.
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
  };
}

/** Makes it at the first call. What the SDK brings is loaded only where a configuration uses it, and only once. */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    // What failed is tried again: the answer to come may be better.
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
