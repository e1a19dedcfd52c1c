import type { Naming } from "../../src/delivery/naming.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import type { KnownRepo } from "../../src/ledger/repos.ts";
import type { Run } from "../../src/run/run.ts";
import { syncMirror } from "../commit/sync-mirror.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import type { Station } from "../station.ts";
import { buildAndFreeze, forget, isWhole } from "./prepare.ts";

/** A delivery that began to name what it made: what it is about stands in the ledger, whatever became of its refs and its pipeline. */
export function workOf(
  station: Station,
  delivery: Work["delivery"],
  known: KnownRepo,
  naming: Naming,
  fence: number,
): Work {
  const { sha, message, author, committedAt } = delivery;
  return {
    ...{ delivery, fence, plan: naming.plan, refs: naming.refs, tags: naming.tags },
    repo: { ...known, ...naming.repo, defaultBranch: known.defaultBranch ?? "main" },
    mirror: station.mirrors.open(known.id),
    commit: { sha, message, author, committedAt: new Date(committedAt ?? 0), parents: [] },
  };
}

/** What such a delivery has made already, to be published where it is not yet. Bytes that nobody holds any more are made again. */
export async function resume(
  station: Station,
  work: Work,
  naming: Naming,
  run: Run,
): Promise<(Prepared | Unchanged)[]> {
  run.log.line("Its names are being written already: it is finished as it was begun");
  const rows = await artifactsOf(station.ledger, work.delivery.id);
  const found: (Prepared | Unchanged)[] = [];
  for (const { name, ...named } of naming.artifacts) {
    const artifact = work.plan.artifacts.find((each) => each.name === name);
    const row = rows.find((each) => each.name === name);
    if (artifact === undefined || row === undefined) throw new Error(`${name} is no artifact of ${work.delivery.id}`);
    if (named.kind === "unchanged") {
      found.push({ kind: "unchanged", artifact, since: named.since });
      continue;
    }
    const { kind, ...share } = named;
    const content = frozenOf(row);
    if (content !== null && (await isWhole(station, content, work, { artifact, ...share }, run))) {
      found.push({ kind, artifact, content, bases: row.bases ?? [], isNew: false, ...share });
      continue;
    }
    if (content !== null) await forget(station, work, name, content);
    await syncMirror(station, work.repo, run.signal);
    found.push(await buildAndFreeze(station, work, artifact, share, run));
  }
  return found;
}
