import { scan } from "./scan.ts";

/** One link of a `Link` header. */
export interface WebLink {
  /** May be relative to the URL of the request. */
  target: string;
  /** Lower case. */
  relations: string[];
}

const TARGET = /[\s,]*<([^>]*)>/y;
const PARAM = /\s*;\s*([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?/y;

/** Parses a `Link` header (RFC 8288, 3). What follows something that is no link is left out. */
export function readLinks(header: string): WebLink[] {
  const links: WebLink[] = [];
  const { take } = scan(header);
  for (let target = take(TARGET); target !== null; target = take(TARGET)) {
    let relations: string[] | null = null;
    for (let param = take(PARAM); param !== null; param = take(PARAM)) {
      const [, name = "", quoted, bare] = param;
      // Of several `rel` only the first one counts: RFC 8288, 3.3.
      if (name.toLowerCase() !== "rel" || relations !== null) continue;
      const value = quoted?.replace(/\\(.)/gs, "$1") ?? bare ?? "";
      relations = value
        .toLowerCase()
        .split(/\s+/)
        .filter((word) => word !== "");
    }
    links.push({ target: target[1] ?? "", relations: relations ?? [] });
  }
  return links;
}
