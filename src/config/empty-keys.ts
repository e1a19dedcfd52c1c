/** Maps whose keys a person chooses: an empty one of these is a mistake, and is told as that. */
const OWN_KEYS = new Set(["hosts", "registries", "secrets", "args", "env", "labels"]);

/** Leaves out keys without a value (`port:`), as if they were not there. */
export function withoutEmptyKeys(data: unknown, under = ""): unknown {
  if (Array.isArray(data)) return data.map((item) => withoutEmptyKeys(item));
  if (typeof data !== "object" || data === null) return data;
  const kept = Object.entries(data).filter(([, value]) => value !== null || OWN_KEYS.has(under));
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutEmptyKeys(value, key)]));
}
