import type { TypedSettings } from "../../settings/type-list.ts";

/** The server that an entry of the configuration leads to. Null: its type has the address, or an SDK finds it. */
export function serverOf(settings: TypedSettings | undefined): URL | null {
  for (const key of ["apiUrl", "url", "cloneUrl"]) {
    const value = settings?.[key];
    if (typeof value === "string" && URL.canParse(value)) return new URL(value);
  }
  return null;
}
