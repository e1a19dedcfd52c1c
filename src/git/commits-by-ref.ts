import type { Readable } from "node:stream";
import type { Sha } from "../delivery/types.ts";
import { splitStream } from "./lines.ts";

/** Commits by full ref. A descendant comes before its ancestors; otherwise the newer commit comes first. */
export type CommitsByRef = Map<string, Sha[]>;

/**
 * Finds the wanted commits of all refs in one walk over their history, and stops when all are found. Hundreds of
 * branches share nearly all of their history, so one walk is much faster than one for each.
 * @param tips the commits that the refs point to
 * @param walk lines `<sha> <parent>…`, every commit before its parents
 */
export async function readCommitsByRef(
  tips: Map<string, Sha>,
  wanted: ReadonlySet<Sha>,
  walk: Readable,
): Promise<CommitsByRef> {
  const refs = [...tips.keys()];
  const places: CommitsByRef = new Map(refs.map((ref) => [ref, []]));
  /** For each commit still to come, the refs that contain it: one bit for each ref. */
  const holders = new Map<Sha, bigint>();
  for (const [index, ref] of refs.entries()) addTo(holders, tips.get(ref) ?? "", 1n << BigInt(index));
  let missing = wanted.size;
  for await (const line of splitStream(walk, "\n")) {
    const [sha = "", ...parents] = line.split(" ");
    const held = holders.get(sha) ?? 0n;
    holders.delete(sha);
    for (const parent of parents) addTo(holders, parent, held);
    if (!wanted.has(sha)) continue;
    // The last digit stands for the first ref.
    const bits = held.toString(2);
    for (const [index, ref] of refs.entries()) if (bits.at(-1 - index) === "1") places.get(ref)?.push(sha);
    missing -= 1;
    if (missing === 0) break;
  }
  return places;
}

function addTo(holders: Map<Sha, bigint>, sha: Sha, bits: bigint): void {
  holders.set(sha, (holders.get(sha) ?? 0n) | bits);
}
