import type { Naming } from "../../src/delivery/naming.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import type { KnownRepo } from "../../src/ledger/repos.ts";
import type { Run } from "../../src/run/run.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import { reuse, type Standing, type StandingParts } from "./standing.ts";

/**
 * The work on a delivery whose names are being written: the ledger holds all of it, whatever became of refs and
 * pipeline.
 */
export function workOfNaming(
  { mirrors }: Pick<Station, "mirrors">,
  delivery: Work["delivery"],
  known: KnownRepo,
  naming: Naming,
  fence: number,
): Work {
  const { sha, message, author, committedAt } = delivery;
  return {
    ...{ delivery, fence, plan: naming.plan, refs: naming.refs, tags: naming.tags, hints: [] },
    repo: { ...known, ...naming.repo, defaultBranch: known.defaultBranch ?? "main" },
    mirror: mirrors.open(known.id),
    commit: { sha, message, author, committedAt: new Date(committedAt ?? 0), parents: [] },
  };
}

/** What such a delivery has made already of each artifact. Bytes that nobody holds any more are made again. */
export async function* standingOfNaming(
  station: StandingParts,
  work: Work,
  naming: Naming,
  run: Run,
): AsyncGenerator<Standing> {
  const rows = await artifactsOf(station.ledger, work.delivery.id);
  for (const { name, ...named } of naming.artifacts) {
    const artifact = work.plan.artifacts.find((each) => each.name === name);
    const row = rows.find((each) => each.name === name);
    if (artifact === undefined || row === undefined) throw new Error(`${name} is no artifact of ${work.delivery.id}`);
    switch (named.kind) {
      case "unchanged":
        yield { kind: "unchanged", artifact, since: named.since };
        break;
      case "prepared": {
        const { kind: _kind, ...share } = named;
        const content = frozenOf(row);
        yield content === null
          ? { kind: "to-build", artifact, share }
          : await reuse(station, work, artifact, share, content, row.bases ?? [], run);
      }
    }
  }
}
