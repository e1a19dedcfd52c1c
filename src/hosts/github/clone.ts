import type { Repo } from "../../delivery/types.ts";
import type { CloneSource } from "../host.ts";

/** The URL comes from the configuration, never from a payload; the token goes into a header, never into the URL. */
export function cloneSourceOf(cloneUrl: string, token: string | null, { owner, name }: Repo): CloneSource {
  return {
    url: `${cloneUrl.replace(/\/+$/, "")}/${encodeURIComponent(owner)}/${encodeURIComponent(name)}.git`,
    authorization: token === null ? null : `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`,
  };
}
