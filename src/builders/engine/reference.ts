/** The parts of an image reference, completed as Docker does (distribution/reference, "familiar names"). */
export interface Reference {
  /** `host[:port]`, or `docker.io` if the reference names no host. */
  host: string;
  /** All before tag and digest, always with the host: `docker.io/library/node`. */
  name: string;
  /** `latest` if the reference names no tag. */
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
  // Only these make the first part a host. Otherwise it is a user of Docker Hub.
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  if (!isHost) return { host: "docker.io", name: `docker.io/${slash < 0 ? "library/" : ""}${named}`, tag, digest };
  if (first !== "docker.io" && first !== "index.docker.io") return { host: first, name: named, tag, digest };
  const rest = named.slice(slash + 1);
  return { host: "docker.io", name: `docker.io/${rest.includes("/") ? "" : "library/"}${rest}`, tag, digest };
}
