import { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { shortRef } from "../../src/delivery/refs.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import { ACTIVE_STATES, type Delivery, findDelivery } from "../../src/ledger/deliveries.ts";
import { clearDueEvaluation } from "../../src/ledger/due-deliveries.ts";
import { addHints, type HintTarget, hintsOf, lastHintId, markHintsDone } from "../../src/ledger/hints.ts";
import { getRepo, type KnownRepo } from "../../src/ledger/repos.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { STATUS_DEBOUNCE_MS } from "../../src/ledger/statuses.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { span } from "../../src/observe/span.ts";
import type { Jobs } from "../../src/queue/queues.ts";
import { inspect } from "../commit/inspect.ts";
import { expectedGate, syncAndPrefetchCi } from "../commit/prefetch-ci.ts";
import { recordGreen } from "../commit/recent-green.ts";
import type { Station } from "../station.ts";
import { type HostFailure, recordHostError } from "./host-error.ts";
import type { Next } from "./next.ts";
import { type DecisionParts, writeDecision } from "./write-decision.ts";

/** What an evaluation uses of the station. */
export type EvaluateParts = DecisionParts &
  Pick<Station, "queues" | "hosts" | "mirrors" | "identities" | "recentGreen" | "log">;

/**
 * The level-triggered decision: whatever the hint said, the commit is inspected as it stands now, and what follows is
 * written down. Running it twice, late, or beside itself comes to the same.
 * @throws TransientError when the host does not answer: the hint stays in the inbox, and the sweep brings it back.
 */
export async function evaluate(station: EvaluateParts, job: Jobs["evaluate"]): Promise<void> {
  // Only hints that were there before anything was read may be called done.
  const lastHint = await lastHintId(station.ledger);
  const known = await getRepo(station.ledger, job.repo);
  if (known === null) return;
  const before = job.sha === null ? null : await findDelivery(station.ledger, known.id, job.sha);
  // No inspection could change it. Hints that come meanwhile stay in the inbox until its attempt has ended.
  if (before !== null && isUnderWay(before)) return;
  try {
    await inspectAndDecide(station, known, job, before, lastHint);
  } catch (error) {
    if (isHostFailure(error) && job.sha !== null) await recordHostError(station, known, job.sha, error);
    if (!(error instanceof Refused && error.code === "repo-replaced")) throw error;
    // No later answer helps: the repo that has the name now has hints of its own.
    await markHintsDone(station.ledger, known.id, targetOf(job), lastHint, error.message);
  }
}

/** A first clone of a large repo takes its time; a host that hangs must not hold a worker for ever. */
const SYNC_LIMIT = 30 * 60_000;

async function inspectAndDecide(
  station: EvaluateParts,
  known: KnownRepo,
  job: Jobs["evaluate"],
  before: Delivery | null,
  lastHint: number,
): Promise<void> {
  const { ledger } = station;
  const began = await storeTime(ledger);
  const target = targetOf(job);
  const hinted = job.sha === null ? null : await hintsOf(ledger, known.id, job.sha);
  const expected =
    job.sha === null || hinted === null ? null : await expectedGate(station, known, job.sha, before, hinted);
  const limit = AbortSignal.timeout(SYNC_LIMIT);
  const { repo, mirror, refs, prefetched } = await syncAndPrefetchCi(station, known, job.sha, expected, limit);
  const sha = job.sha ?? (job.ref === null ? null : (refs.get(job.ref) ?? null));
  if (sha === null) {
    // A hint of a rename names neither: the repo's name is known with it.
    const because = job.ref === null ? "it names no commit" : `${shortRef(job.ref)} is gone`;
    await markHintsDone(ledger, repo.id, target, lastHint, because);
    return;
  }
  // Read once more, after the sync: a person or a worker may have moved the delivery on meanwhile.
  const delivery = await findDelivery(ledger, repo.id, sha);
  if (job.sha === null && delivery !== null && isUnderWay(delivery))
    return leaveHintForAttempt(station, repo, job.ref, sha, lastHint);
  failpoint("evaluate.synced");
  const subject = { repo, mirror, sha, hints: hinted ?? (await hintsOf(ledger, repo.id, sha)) };
  const found = await span("inspect", {}, () => inspect(station, subject, delivery, prefetched));
  if (found.kind === "planned" && found.evidence !== null) {
    const seen = { lastHintId: lastHint, refsReadAt: began };
    recordGreen(station, repo.id, sha, { seen, evidence: found.evidence });
  }
  const next = await span("decide", {}, () => writeDecision(station, subject, found, delivery));
  failpoint("evaluate.written");
  await queueWork(station, next);
  if (found.kind === "host-error") throw found.error;
  await markHintsDone(ledger, repo.id, target, lastHint, found.verdict.because);
  if (before !== null) await clearDueEvaluation(ledger, before);
  station.log.info("evaluated", { repo: `${repo.host}/${repo.owner}/${repo.name}`, sha, ...found.verdict });

  for (const artifact of next.names) await station.queues.add("names", { repo: repo.id, artifact });
  await station.queues.add("announce", {}, { delay: next.deliver === null ? 0 : STATUS_DEBOUNCE_MS });
  if (found.kind === "planned" && found.retryAt !== null && found.verdict.action === "wait") {
    const delay = Math.max(0, found.retryAt - station.clock.now());
    await station.queues.add("evaluate", { repo: repo.id, sha, ref: null }, { delay });
  }
}

async function queueWork({ queues }: Pick<Station, "queues">, { deliver, prepare }: Next): Promise<void> {
  if (deliver !== null) await queues.add("deliver", { delivery: deliver });
  if (prepare !== null) await queues.add("prepare", { delivery: prepare });
}

/**
 * A hint that names a ref without its commit (an annotated tag) may lead to a commit whose delivery is under way. A
 * hint that names both takes its place, and waits for the attempt's end.
 */
async function leaveHintForAttempt(
  { ledger }: Pick<Station, "ledger">,
  repo: Repo,
  ref: string | null,
  sha: Sha,
  lastHint: number,
): Promise<void> {
  await ledger.transaction(async (tx) => {
    await addHints(tx, [{ repo, event: "ref", deliveryId: "", ref, sha }]);
    await markHintsDone(
      tx,
      repo.id,
      { ref },
      lastHint,
      `${shortRef(ref ?? "")} points to ${sha}, whose delivery is running`,
    );
  });
}

function isHostFailure(error: unknown): error is HostFailure {
  return error instanceof TransientError || error instanceof Refused || error instanceof UserError;
}

function targetOf({ sha, ref }: Jobs["evaluate"]): HintTarget {
  return sha === null ? { ref } : { sha };
}

function isUnderWay({ state }: Delivery): boolean {
  return ACTIVE_STATES.some((one) => one === state);
}
