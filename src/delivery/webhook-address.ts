/** How the address of a registered webhook relates to the one that deliverd has for a host. */
export type AddressFit = "same" | "misspelt" | "foreign";

/**
 * Compares the address of a webhook that a host shows with deliverd's own. `misspelt`: it leads to this server, but not
 * to where webhooks are taken. Everything that may belong to another program on the same server is foreign.
 * @param address `<publicUrl>/webhooks/<key>`
 * @param others the addresses of the other hosts of this deliverd
 */
export function fitOf(found: string, address: string, others: readonly string[]): AddressFit {
  if (!URL.canParse(found)) return "foreign";
  const [theirs, ours] = [placeOf(found), placeOf(address)];
  if (theirs.exact === ours.exact) return "same";
  if (others.some((other) => placeOf(other).server === theirs.server && placeOf(other).path === theirs.path)) {
    return "foreign";
  }
  if (theirs.server !== ours.server) return "foreign";
  // Of `/deliverd/webhooks/github`, the base is `/deliverd`: nothing else on the server is under it.
  const base = ours.path.split("/").slice(0, -2).join("/");
  const rest = theirs.path.startsWith(`${base}/`) || theirs.path === base ? theirs.path.slice(base.length) : null;
  return rest !== null && /^(?:\/?|\/webhooks?(?:\/.*)?)$/i.test(rest) ? "misspelt" : "foreign";
}

/** A path in lower case and without slashes at its end. http and https at their usual ports are one server. */
function placeOf(text: string): { exact: string; server: string; path: string } {
  const url = new URL(text);
  const path = url.pathname.replace(/\/+$/, "");
  const isUsualPort = url.port === "";
  return {
    exact: url.origin + path,
    server: isUsualPort ? url.hostname : url.host,
    path: path.toLowerCase(),
  };
}

/** Where deliverd takes the webhooks of the host with this key. */
export function webhookUrl(publicUrl: string, key: string): string {
  return `${publicUrl.replace(/\/+$/, "")}/webhooks/${encodeURIComponent(key)}`;
}

/** An address without its query, which may hold a secret. */
export function shownAddress(text: string): string {
  if (!URL.canParse(text)) return "no valid URL";
  const { origin, pathname } = new URL(text);
  return origin + pathname;
}

/** Scheme and host of an address whose path or query may be the secret itself, as those of chat services are. */
export function hiddenPathAddress(text: string): string {
  if (!URL.canParse(text)) return "no valid URL";
  const { protocol, host, pathname, search } = new URL(text);
  return `${protocol}//${host}${pathname.length > 1 || search !== "" ? "/…" : ""}`;
}

/** Whether only this machine can reach an address. */
export function isLoopback(text: string): boolean {
  const { hostname } = new URL(text);
  return hostname === "localhost" || hostname.endsWith(".localhost") || /^(?:127\.[\d.]+|\[::1\])$/.test(hostname);
}
