import type { Sha } from "../delivery/types.ts";
import { isRef } from "./arguments.ts";
import {
  DELIMITER,
  decodePackets,
  encodePackets,
  FLUSH,
  MalformedPackets,
  type Packet,
  RESPONSE_END,
} from "./pkt-line.ts";

/** The refs that a host lists. */
export interface RemoteRefs {
  /** Branches and tags by full ref. An annotated tag has the id of its tag object. */
  raw: Map<string, Sha>;
  /** Short name of the branch that HEAD points to; null: the host does not say (as in an empty repo). */
  defaultBranch: string | null;
}

/** The capabilities of a server that matter for listing refs. */
export interface Server {
  /** Whether requests may name their client. */
  takesAgent: boolean;
  /** Null: the server does not say, so it is sha1. */
  objectFormat: "sha1" | "sha256" | null;
}

/** The server does not support version 2 of the protocol, or not its command to list refs. */
export class NoSuchCommand extends Error {}

/**
 * Reads the response to `info/refs`, the capability advertisement of gitprotocol-v2(5).
 * @throws NoSuchCommand, MalformedPackets
 */
export function readAdvertisement(message: Buffer): Server {
  const packets = [...decodePackets(message)].map((packet) => (typeof packet === "number" ? packet : lineOf(packet)));
  if (packets[0] === "# service=git-upload-pack" && packets[1] === FLUSH) packets.splice(0, 2);
  const [version, ...lines] = packets.slice(0, -1);
  if (version !== "version 2") throw new NoSuchCommand("the server does not support version 2 of git's protocol");

  const capabilities = new Map<string, string>();
  for (const line of lines) {
    const [, key = "", value = ""] = /^([^=]+)(?:=(.*))?$/s.exec(String(line)) ?? [];
    capabilities.set(key, value);
  }
  const objectFormat = capabilities.get("object-format") ?? null;
  const isKnown = objectFormat === null || objectFormat === "sha1" || objectFormat === "sha256";
  if (!isKnown || !capabilities.has("ls-refs"))
    throw new NoSuchCommand("the server does not support ls-refs or an object format that deliverd knows");
  return { takesAgent: capabilities.has("agent"), objectFormat };
}

/**
 * The request for HEAD, branches and tags: without prefixes a host would also list pull requests. It leaves out
 * `unborn`, because `git ls-remote` does not show an unborn HEAD either.
 */
export function lsRefs({ takesAgent, objectFormat }: Server): Buffer {
  const lines = (...texts: string[]): Packet[] => texts.map((text) => Buffer.from(`${text}\n`));
  return encodePackets([
    ...lines("command=ls-refs"),
    ...lines(...(takesAgent ? ["agent=deliverd"] : []), ...(objectFormat ? [`object-format=${objectFormat}`] : [])),
    DELIMITER,
    ...lines("symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/"),
    FLUSH,
  ]);
}

/** Reads the response to `lsRefs`. @throws MalformedPackets unless it is exactly one whole list of refs */
export function readRefList(message: Buffer, { objectFormat }: Server): RemoteRefs {
  const id = objectFormat === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
  const refs: RemoteRefs = { raw: new Map(), defaultBranch: null };
  let isOver = false;
  for (const packet of decodePackets(message)) {
    if (isOver || packet === DELIMITER || packet === RESPONSE_END)
      throw new MalformedPackets("the response is not exactly one list of refs");
    if (packet === FLUSH) {
      isOver = true;
      continue;
    }
    const line = lineOf(packet);
    const [sha = "", ref = "", ...attributes] = line.split(" ");
    if (!id.test(sha) || ref === "" || /[\0\t\n]/.test(line))
      throw new MalformedPackets("a line of the list names no ref");
    if (isRef(ref)) refs.raw.set(ref, sha);
    else if (ref === "HEAD") refs.defaultBranch = branchOf(attributes);
  }
  return refs;
}

function branchOf(attributes: string[]): string | null {
  const target = "symref-target:refs/heads/";
  return attributes.find((attribute) => attribute.startsWith(target))?.slice(target.length) ?? null;
}

function lineOf(packet: Buffer): string {
  return packet.toString("utf8").replace(/\n$/, "");
}
