/** Where an answer sends us; `unsafe` with what may be shown of the address, whose path and query may let somebody in. */
export type Goal = { kind: "safe"; url: URL } | { kind: "unsafe"; shown: string };

/**
 * The goal of a `Location`: a URL, or a reference that is relative to what was asked (RFC 9110, 10.2.2; RFC 3986, 5). Never
 * from TLS into the clear, and never with a login in it.
 */
export function readLocation(location: string | undefined, from: URL): Goal {
  if (!location || !URL.canParse(location, from.href)) return { kind: "unsafe", shown: "no valid URL" };
  const url = new URL(location, from);
  // A server that does not know of the TLS before it means itself all the same.
  if (url.protocol === "http:" && from.protocol === "https:" && url.host === from.host) url.protocol = "https:";
  const isSafe = (url.protocol === "https:" || url.protocol === from.protocol) && !url.username && !url.password;
  return isSafe ? { kind: "safe", url } : { kind: "unsafe", shown: `${url.protocol}//${url.host}` };
}
