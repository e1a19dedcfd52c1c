import type { ArtifactName } from "../../src/delivery/types.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import type { Registry, StampedContent } from "../../src/registries/registry.ts";
import type { Run } from "../../src/run/run.ts";
import { standingUnder } from "../commit/names-in-ledger.ts";
import type { Station } from "../station.ts";

const LIMIT = 60_000;

/** A write of this worker that may have replaced an immutable name. */
export interface Overwrite {
  registry: Registry;
  name: ArtifactName;
  /** What this worker was about to put there. */
  written: StampedContent;
  run: Run;
}

/**
 * If a worker that lost its reservation overwrote an immutable name, restores the content that the ledger names: no
 * registry compares before it writes. An error here is only logged: the caller has an error of its own.
 * @param put `Registry.publish`
 */
export async function undoOverwrite(
  station: Pick<Station, "config" | "ledger" | "log">,
  overwrite: Overwrite,
  put: Registry["publish"],
): Promise<void> {
  await restoreName(station, overwrite, put).catch((error: unknown) => {
    station.log.error("a name may be written over: the check of released names will tell", {
      ...overwrite.name,
      written: overwrite.written.digest,
      error,
    });
  });
}

async function restoreName(
  station: Pick<Station, "config" | "ledger" | "log">,
  { registry, name, written, run }: Overwrite,
  put: Registry["publish"],
): Promise<void> {
  const { ledger, log } = station;
  const standing = await standingUnder(station, name, written.kind);
  if (standing === null || !standing.immutable || standing.digest === written.digest) return;
  // The lease is lost, so the run's own signal is aborted.
  const patient = { ...run, signal: AbortSignal.timeout(LIMIT) };
  if ((await registry.find(name, patient, written))?.digest !== written.digest) return;
  const released = (await artifactsOf(ledger, standing.deliveryId ?? "")).find(
    ({ name }) => name === standing.artifact,
  );
  const content = released === undefined ? null : frozenOf(released);
  if (released === undefined || content?.digest !== standing.digest) return;
  if (!(await registry.restore(name, patient, content))) return;
  await put({ ...content, kind: released.kind, metadata: {} }, { ...name, immutable: false }, patient);
  log.warn("a name was written over by a worker that had lost its lease: put back", {
    registry: name.registry,
    name: `${name.repository}:${name.tag}`,
    digest: content.digest,
    written: written.digest,
  });
}
