import type { Sha } from "../delivery/types.ts";
import { isRef } from "./arguments.ts";
import { DELIMITER, FLUSH, frame, type Packet, RESPONSE_END, Unframed, unframe } from "./pkt-line.ts";

/** What a host lists. */
export interface RemoteRefs {
  /** Branches and tags by full ref, annotated tags as the tag object. */
  raw: Map<string, Sha>;
  /** Short name of the branch that HEAD names; null where the host does not say (an empty repo). */
  defaultBranch: string | null;
}

/** What a server said of itself, as far as it matters for listing refs. */
export interface Server {
  /** Whether it wants to know who asks. */
  takesAgent: boolean;
  /** Null where it does not say: sha1. */
  objectFormat: "sha1" | "sha256" | null;
}

/** The server does not speak version 2 of the protocol, or cannot list refs by it. */
export class NoSuchCommand extends Error {}

/** Reads the answer to `info/refs`, the capability advertisement of gitprotocol-v2(5). @throws NoSuchCommand, Unframed */
export function readAdvertisement(message: Buffer): Server {
  const packets = [...unframe(message)].map((packet) => (typeof packet === "number" ? packet : lineOf(packet)));
  if (packets[0] === "# service=git-upload-pack" && packets[1] === FLUSH) packets.splice(0, 2);
  const [version, ...lines] = packets.slice(0, -1);
  if (version !== "version 2") throw new NoSuchCommand("the server does not speak version 2 of git's protocol");

  const capabilities = new Map<string, string>();
  for (const line of lines) {
    const [, key = "", value = ""] = /^([^=]+)(?:=(.*))?$/s.exec(String(line)) ?? [];
    capabilities.set(key, value);
  }
  const objectFormat = capabilities.get("object-format") ?? null;
  const isKnown = objectFormat === null || objectFormat === "sha1" || objectFormat === "sha256";
  if (!isKnown || !capabilities.has("ls-refs")) throw new NoSuchCommand("the server cannot list refs for us");
  return { takesAgent: capabilities.has("agent"), objectFormat };
}

/** Asks for no more than is read: a host also lists pull requests. `unborn` is left out, since `git ls-remote` tells nothing of it. */
export function lsRefs({ takesAgent, objectFormat }: Server): Buffer {
  const lines = (...texts: string[]): Packet[] => texts.map((text) => Buffer.from(`${text}\n`));
  return frame([
    ...lines("command=ls-refs"),
    ...lines(...(takesAgent ? ["agent=deliverd"] : []), ...(objectFormat ? [`object-format=${objectFormat}`] : [])),
    DELIMITER,
    ...lines("symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/"),
    FLUSH,
  ]);
}

/** Reads the answer to `lsRefs`. @throws Unframed where it is not a whole list of refs, and nothing else */
export function readRefList(message: Buffer, { objectFormat }: Server): RemoteRefs {
  const id = objectFormat === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
  const refs: RemoteRefs = { raw: new Map(), defaultBranch: null };
  let isOver = false;
  for (const packet of unframe(message)) {
    if (isOver || packet === DELIMITER || packet === RESPONSE_END) throw new Unframed("not one list of refs alone");
    if (packet === FLUSH) {
      isOver = true;
      continue;
    }
    const line = lineOf(packet);
    const [sha = "", ref = "", ...attributes] = line.split(" ");
    if (!id.test(sha) || ref === "" || /[\0\t\n]/.test(line)) throw new Unframed("a line of the list names no ref");
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
