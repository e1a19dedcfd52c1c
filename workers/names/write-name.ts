import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { anySignal } from "../../src/async/any-signal.ts";
import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { ArtifactName, Location, RepoId } from "../../src/delivery/types.ts";
import {
  endReservation,
  keepReservation,
  type Reservation,
  reserveName,
  settleName,
  type WriteOrder,
} from "../../src/ledger/name-writes.ts";
import { oweProofAt } from "../../src/ledger/proof-places.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { span } from "../../src/observe/span.ts";
import { keysOfPlace } from "../../src/registries/index.ts";
import type { Registry, StampedContent } from "../../src/registries/registry.ts";
import type { Run } from "../../src/run/run.ts";
import type { Station } from "../station.ts";
import { isShared, ownedByAnother, registryOf } from "./registry-of.ts";
import { undoOverwrite } from "./undo-overwrite.ts";

/** How long a name is reserved (ms): after a kill another worker may write it then. A live worker renews it.  */
const TTL = 12_000;
const RENEW_EVERY = 3_000;
/** How often a name that another worker writes is asked for again, and for how long (ms). Mostly it takes a second. */
const ASK_EVERY = 200;
const ASK_FOR = 2 * TTL;

/** What writing a name uses of the station. */
export type WriteParts = Pick<Station, "config" | "ledger" | "log" | "owner" | "registries">;

/** One name to write, and the content that it is to hold. */
export interface NameWrite {
  name: ArtifactName;
  content: StampedContent;
  of: { repoId: RepoId; deliveryId: string; artifact: string };
  /** Runs when the name is reserved, before the registry is written. */
  before(run: Run): Promise<void>;
}

/**
 * The only door to `Registry.publish`: asks who owns the repository and what the name may hold, reserves it in the
 * ledger, writes it, reads it back and saves it. Writes nothing where the name holds the same content.
 * @param patience how long to wait for another worker's write (ms)
 * @throws Refused `name-owned`, `name-taken`, `name-of-another-repo`; TransientError `name-busy`, `name-lost`; as
 * `before` and the registry do
 */
export async function writeName(
  station: WriteParts,
  write: NameWrite,
  run: Run,
  patience = ASK_FOR,
): Promise<"written" | "stands"> {
  const { name, content, of } = write;
  const { registry, repository } = name;
  const order: WriteOrder = {
    ...{ ...name, repoId: of.repoId, artifact: of.artifact, digest: content.digest },
    ...{ token: randomUUID(), owner: station.owner, shared: isShared(station, registry, repository) },
    keys: await keysOfPlace(station.config.registries, registry, content.kind),
  };
  const reservation = await reserve(station, order, run, patience);
  switch (reservation.kind) {
    case "stands":
      return "stands";
    case "taken":
      throw new Refused("name-taken", reservation.because);
    case "another-repos":
      throw new Refused("name-of-another-repo", reservation.because);
    case "owned":
      throw ownedByAnother(registry, repository);
    case "reserved":
      await span("name", { registry, repository, tag: name.tag }, () =>
        whileReserved(station, order, run, (own) => publish(station, write, order, reservation.ours, own)),
      );
      return "written";
  }
}

async function reserve(
  { ledger }: Pick<Station, "ledger">,
  order: WriteOrder,
  run: Run,
  patience: number,
): Promise<Exclude<Reservation, { kind: "busy" }>> {
  const limit = performance.now() + patience;
  for (;;) {
    run.signal.throwIfAborted();
    const answer = await reserveName(ledger, order, TTL);
    if (answer.kind !== "busy") return answer;
    if (performance.now() > limit) {
      throw new TransientError(
        "name-busy",
        `${order.repository}:${order.tag} in ${order.registry} waits for another write in that repository`,
      );
    }
    await setTimeout(ASK_EVERY, undefined, { signal: run.signal }).catch(() => run.signal.throwIfAborted());
  }
}

/** Renews the reservation while the work runs, and aborts the work if it is lost. */
async function whileReserved(
  { ledger }: Pick<Station, "ledger">,
  order: WriteOrder,
  run: Run,
  work: (run: Run) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  let until = performance.now() + TTL;
  let isAsking = false;
  const renew = async (): Promise<void> => {
    const began = performance.now();
    // Also if the ledger does not answer: after this time another worker may write.
    if (began >= until) lost.abort(nameLost(order));
    if (isAsking || lost.signal.aborted) return;
    isAsking = true;
    try {
      if (await keepReservation(ledger, order, TTL)) until = began + TTL;
      else lost.abort(nameLost(order));
    } catch {
      // Asked again until the time is over.
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void renew(), RENEW_EVERY);
  try {
    await work({ ...run, signal: anySignal(run.signal, lost.signal) });
  } catch (error) {
    // If the ledger cannot be reached, the reservation runs out by itself.
    await endReservation(ledger, order).catch(() => {});
    throw error;
  } finally {
    clearInterval(timer);
  }
}

async function publish(
  station: WriteParts,
  { name, content, of, before }: NameWrite,
  order: WriteOrder,
  ours: string[],
  run: Run,
): Promise<void> {
  await before(run);
  const registry = registryOf(station, name.registry);
  const overwrite = { registry, name, written: content, run };
  const undo = () => undoOverwrite(station, overwrite, (...put) => registry.publish(...put));
  let location: Location;
  try {
    const asks = ours.length > 0 && (await replacesOurs(registry, name, content, ours, run));
    location = await registry.publish(content, asks ? { ...name, immutable: false } : name, run);
  } catch (error) {
    await undo();
    throw error;
  }
  failpoint(name.immutable ? "release.named" : "names.written");
  const { digest, url, pull } = location;
  const isSettled = await station.ledger.transaction(async (tx) => {
    if (!(await settleName(tx, order, { ...name, ...of, digest, url, pull }))) return false;
    await oweProofAt(tx, { ...of, digest }, name);
    return true;
  });
  if (isSettled) return;
  await undo();
  throw nameLost(order);
}

/** An immutable name may take the place of what deliverd itself put there under a moving one, and of nothing else. */
async function replacesOurs(
  registry: Registry,
  name: ArtifactName,
  content: StampedContent,
  ours: string[],
  run: Run,
): Promise<boolean> {
  const found = await registry.find(name, run, content);
  return found !== null && ours.includes(found.digest);
}

function nameLost({ registry, repository, tag }: WriteOrder): TransientError {
  return new TransientError(
    "name-lost",
    `another write may have replaced ${repository}:${tag} in ${registry}: this write did not end in time`,
  );
}
