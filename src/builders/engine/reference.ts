/** An image's reference, its parts filled in as Docker does (distribution/reference, "familiar names"). */
export interface Reference {
  /** `host[:port]`; `docker.io` where the reference names none. */
  host: string;
  /** Everything before tag and digest, always with its host: `docker.io/library/node`. */
  name: string;
  /** `latest` where it names none. */
  tag: string;
  digest: string | null;
}

export function parseReference(text: string): Reference {
  const [path = "", digest = null] = text.split("@");
  const colon = path.lastIndexOf(":");
  const hasTag = colon > path.lastIndexOf("/");
  const named = hasTag ? path.slice(0, colon) : path;
  const tag = hasTag ? path.slice(colon + 1) : "latest";
  const slash = named.indexOf("/");
  const first = slash < 0 ? "" : named.slice(0, slash);
  // Only these mark a host; without one, the first part is a user of Docker Hub.
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  if (!isHost) return { host: "docker.io", name: `docker.io/${slash < 0 ? "library/" : ""}${named}`, tag, digest };
  if (first !== "docker.io" && first !== "index.docker.io") return { host: first, name: named, tag, digest };
  const rest = named.slice(slash + 1);
  return { host: "docker.io", name: `docker.io/${rest.includes("/") ? "" : "library/"}${rest}`, tag, digest };
}
