import type { Readable } from "node:stream";
import type { Sha } from "../delivery/types.ts";
import { splitStream } from "./lines.ts";

/** By full ref, those of some commits that its history holds: no commit before one that descends from it, else the newer first. */
export type CommitsByRef = Map<string, Sha[]>;

/**
 * Reads one walk over the history of all the refs together, each commit once, and stops where all wanted commits were met:
 * hundreds of branches share nearly all of their history.
 * @param tips where the refs point
 * @param walk `<sha> <parent>…`, a line each, every commit before its parents
 */
export async function readCommitsByRef(
  tips: Map<string, Sha>,
  wanted: ReadonlySet<Sha>,
  walk: Readable,
): Promise<CommitsByRef> {
  const refs = [...tips.keys()];
  const places: CommitsByRef = new Map(refs.map((ref) => [ref, []]));
  /** Which refs hold a commit that is still to come, a bit for each. */
  const holders = new Map<Sha, bigint>();
  for (const [index, ref] of refs.entries()) addTo(holders, tips.get(ref) ?? "", 1n << BigInt(index));
  let missing = wanted.size;
  for await (const line of splitStream(walk, "\n")) {
    const [sha = "", ...parents] = line.split(" ");
    const held = holders.get(sha) ?? 0n;
    holders.delete(sha);
    for (const parent of parents) addTo(holders, parent, held);
    if (!wanted.has(sha)) continue;
    // The last digit is the first ref's.
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
