import { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { shortRef } from "../../src/delivery/refs.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import { ACTIVE_STATES, type Delivery, findDelivery } from "../../src/ledger/deliveries.ts";
import { clearDueEvaluation } from "../../src/ledger/due-deliveries.ts";
import { addHints, type HintTarget, lastHintId, markHintsDone } from "../../src/ledger/hints.ts";
import { getRepo, type KnownRepo } from "../../src/ledger/repos.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import type { Jobs } from "../../src/queue/queues.ts";
import { STATUS_DEBOUNCE_MS } from "../announce/queue-statuses.ts";
import { inspect } from "../commit/inspect.ts";
import { type Likely, likelyFindings, syncAndPrefetchCi } from "../commit/prefetch-ci.ts";
import { recordGreen } from "../commit/recent-green.ts";
import type { Station } from "../station.ts";
import { noteUnanswered } from "./unanswered.ts";
import { writeDecision } from "./write-decision.ts";

/**
 * The level-triggered decision: whatever the hint said, the commit is looked at as it stands now, and what follows is
 * written down. Running it twice, late, or beside itself comes to the same.
 * @throws TransientError when the host does not answer: the hint stays in the inbox, and the sweep brings it back.
 */
export async function evaluate(station: Station, job: Jobs["evaluate"]): Promise<void> {
  // Only hints that were there before anything was read may be called done.
  const seen = await lastHintId(station.ledger);
  const known = await getRepo(station.ledger, job.repo);
  if (known === null) return;
  const before = job.sha === null ? null : await findDelivery(station.ledger, known.id, job.sha);
  // Nothing that a look could find would change it. What is told meanwhile stays in the inbox until its attempt has ended.
  if (before !== null && isUnderWay(before)) return;
  try {
    await lookAndWrite(station, known, job, before, seen);
  } catch (error) {
    const isKnown = error instanceof TransientError || error instanceof Refused || error instanceof UserError;
    if (isKnown && job.sha !== null) await noteUnanswered(station, known, job.sha, error);
    if (!(error instanceof Refused && error.code === "repo-replaced")) throw error;
    // No later answer helps: whoever bears the name now has hints of its own.
    await markHintsDone(station.ledger, known.id, targetOf(job), seen, error.message);
  }
}

/** A first clone of a large repo takes its time; a host that hangs must not hold a worker for ever. */
const SYNC_LIMIT = 30 * 60_000;

async function lookAndWrite(
  station: Station,
  known: KnownRepo,
  job: Jobs["evaluate"],
  before: Delivery | null,
  seen: number,
): Promise<void> {
  const { ledger, queues } = station;
  const began = await storeTime(ledger);
  const target = targetOf(job);
  const likely: Likely | null = job.sha === null ? null : await likelyFindings(station, known, job.sha, before);
  const limit = AbortSignal.timeout(SYNC_LIMIT);
  const { repo, mirror, refs, ci } = await syncAndPrefetchCi(station, known, job.sha, likely, limit);
  const sha = job.sha ?? (job.ref === null ? null : (refs.get(job.ref) ?? null));
  if (sha === null) {
    await markHintsDone(ledger, repo.id, target, seen, `${shortRef(job.ref ?? "")} is gone`);
    return;
  }
  if (job.sha === null && (await leaveForAttempt(station, repo, job.ref, sha, seen))) return;
  failpoint("evaluate.synced");
  const found = await inspect(station, repo, mirror, sha, { foreseen: ci });
  if (found.verdict.action === "deliver") recordGreen(station, repo.id, sha, began);
  const next = await writeDecision(station, repo, mirror, sha, found);
  failpoint("evaluate.written");
  if (next.deliver !== null) await queues.add("deliver", { delivery: next.deliver });
  if (next.ahead !== null) await queues.add("prepare", { delivery: next.ahead });
  if (found.unanswered !== null) throw found.unanswered;
  await markHintsDone(ledger, repo.id, target, seen, found.verdict.because);
  if (before !== null) await clearDueEvaluation(ledger, before);
  station.log.info("evaluated", { repo: `${repo.host}/${repo.owner}/${repo.name}`, sha, ...found.verdict });

  for (const artifact of next.names) await queues.add("names", { repo: repo.id, artifact });
  await queues.add("announce", {}, { delay: next.deliver === null ? 0 : STATUS_DEBOUNCE_MS });
  if (found.retryAt !== null && found.verdict.action === "wait") {
    const delay = Math.max(0, found.retryAt - station.clock.now());
    await queues.add("evaluate", { repo: repo.id, sha, ref: null }, { delay });
  }
}

/**
 * A ref that was told of without its commit, as an annotated tag is, may lead to one whose delivery is under way: from now on its commit is told
 * of too, and that waits for the attempt's end. @returns whether it does
 */
async function leaveForAttempt(
  { ledger }: Station,
  repo: Repo,
  ref: string | null,
  sha: Sha,
  seen: number,
): Promise<boolean> {
  const delivery = await findDelivery(ledger, repo.id, sha);
  if (delivery === null || !isUnderWay(delivery)) return false;
  await ledger.transaction(async (tx) => {
    await addHints(tx, [{ repo, event: "ref", deliveryId: "", ref, sha }]);
    await markHintsDone(tx, repo.id, { ref }, seen, `${shortRef(ref ?? "")} leads to ${sha}, which is under way`);
  });
  return true;
}

function targetOf({ sha, ref }: Jobs["evaluate"]): HintTarget {
  return sha === null ? { ref } : { sha };
}

function isUnderWay({ state }: Delivery): boolean {
  return ACTIVE_STATES.some((one) => one === state);
}
