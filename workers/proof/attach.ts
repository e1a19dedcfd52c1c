import { join } from "node:path";
import { Refused, TransientError } from "../../src/delivery/errors.ts";
import { iso } from "../../src/ledger/describe-release.ts";
import { endDuty, holdDuty } from "../../src/ledger/duties.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { setPlace } from "../../src/ledger/proof-places.ts";
import { type ProofTask, queueProofTask } from "../../src/ledger/proof-tasks.ts";
import { proofOf } from "../../src/ledger/proofs.ts";
import { getRelease, type Release } from "../../src/ledger/releases.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { keysOfPlace } from "../../src/registries/index.ts";
import type { Registry } from "../../src/registries/registry.ts";
import type { Run } from "../../src/run/run.ts";
import type { Station } from "../station.ts";

export type AttachParts = Pick<
  Station,
  "ledger" | "registries" | "config" | "queues" | "owner" | "clock" | "log" | "mask" | "tmp"
>;

type AttachTask = Extract<ProofTask, { step: "attach" }>;

/** Longer than a task may take: a list of referrers has one writer at a time. */
const WRITER_TTL_MS = 35_000;
/** The list of another writer who read before us may arrive after ours. Then ours is written again. */
const AGAIN_AFTER_MS = 4_000;

/**
 * Puts the proof of a release beside it, in one repository of one registry.
 * @throws TransientError `proof-busy` while another worker writes about the same content there; as Registry.attach does
 */
export async function attachProof(station: AttachParts, task: AttachTask, signal: AbortSignal): Promise<void> {
  const { ledger, registries, config } = station;
  const { releaseId, registry: key } = task;
  const [release, proof] = [await getRelease(ledger, releaseId), await proofOf(ledger, releaseId)];
  if (release === null || proof === null || proof.statements.length === 0) return;
  const registry = registries.get(key);
  const settings = config.registries[key];
  if (registry === undefined || settings === undefined)
    throw new Refused("registry-unknown", `registries.${key} is not configured on this server`);
  if (settings.proof === "none") return setPlace(ledger, releaseId, task, "apart", `registries.${key}.proof is none`);
  if (registry.attach === undefined) return setPlace(ledger, releaseId, task, "apart", noPlace(key));
  const { statements } = proof;
  const attachment = { digest: release.digest, statements, createdAt: iso(release.releasedAt) };
  const names = (await locationsOfRelease(ledger, release)).filter(
    (each) => each.registry === key && each.repository === task.repository,
  );
  const options = { legacyTag: settings.proof === "referrers+tag" };
  const content = frozenOf(release);
  const how = await asOneWriter(station, task, release, () =>
    attach(registry, [attachment, names, options, runOf(station, task, signal), content]),
  );
  failpoint("proof.attached");
  await ledger.transaction(async (tx) => {
    await setPlace(tx, releaseId, task, how === null ? "apart" : "stands", how ?? noPlace(key));
    if (how !== null && !task.again) await queueProofTask(tx, release, { ...task, again: true }, AGAIN_AFTER_MS);
  });
  if (how !== null && !task.again) await station.queues.add("announce", {}, { delay: AGAIN_AFTER_MS });
}

/** A registry that hands contents on may have no place for this one. */
async function attach(registry: Registry, order: Parameters<NonNullable<Registry["attach"]>>): Promise<string | null> {
  return (await registry.attach?.(...order)) ?? null;
}

/** Two releases may have one digest, and two keys of the configuration may lead to one place. */
async function asOneWriter<T>(
  { ledger, owner, config }: AttachParts,
  { registry, repository }: AttachTask,
  { kind, digest }: Release,
  work: () => Promise<T>,
): Promise<T> {
  const [place = registry] = (await keysOfPlace(config.registries, registry, kind)).toSorted();
  const duty = `proof ${place} ${repository} ${digest}`;
  // Two tasks of one process are two writers, too.
  const writer = `${owner} ${crypto.randomUUID()}`;
  if (!(await holdDuty(ledger, duty, writer, WRITER_TTL_MS))) {
    const told = `another worker puts proofs of ${digest} into ${repository} of ${registry}`;
    throw new TransientError("proof-busy", told, { retryAfter: 1_000 });
  }
  try {
    return await work();
  } finally {
    await endDuty(ledger, duty, writer);
  }
}

function runOf({ clock, log, mask, tmp }: AttachParts, { releaseId }: AttachTask, signal: AbortSignal): Run {
  const line = (text: string) => log.info(mask(text), { release: releaseId });
  return { clock, signal, tmp: join(tmp, `proof-${releaseId}`), log: { line, write: line } };
}

function noPlace(key: string): string {
  return `${key} has no place for proofs: this server shows them`;
}
