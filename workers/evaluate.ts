import { shortRef } from "../src/delivery/metadata.ts";
import type { DeliveryState, Plan, Repo, Sha } from "../src/delivery/types.ts";
import { failpoint } from "../src/failpoints.ts";
import type { Mirror } from "../src/git/mirror.ts";
import { recordDecision } from "../src/ledger/decisions.ts";
import { ACTIVE, type Delivery, ensureDelivery, findDelivery, setState } from "../src/ledger/deliveries.ts";
import { lastHintId, markHintsDone } from "../src/ledger/hints.ts";
import { oweNames } from "../src/ledger/outbox.ts";
import { getRepo } from "../src/ledger/repos.ts";
import { storeTime } from "../src/ledger/sql.ts";
import type { Jobs } from "../src/queue/queues.ts";
import { foresee, syncAndAsk } from "./foresee.ts";
import { noteGreen } from "./green.ts";
import { type Look, look } from "./look.ts";
import { owesNames } from "./owed.ts";
import { tellWasted } from "./prepare-ahead.ts";
import { NOT_FOR_LONG, queueReports } from "./reports.ts";
import type { Station } from "./station.ts";
import { supersedeOlder } from "./supersede.ts";
import { noteTurnedRed } from "./turned-red.ts";

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
  const began = await storeTime(station.ledger);
  const target = { sha: job.sha ?? undefined, ref: job.sha === null ? (job.ref ?? undefined) : undefined };
  const before = job.sha === null ? null : await findDelivery(station.ledger, known.id, job.sha);
  if (before !== null && isUnderWay(before)) {
    await markHintsDone(
      station.ledger,
      known.id,
      target,
      seen,
      `looked at when its delivery, ${before.state}, has ended`,
    );
    return;
  }
  const foreseen = job.sha === null ? null : await foresee(station, known, job.sha, before);
  const limit = AbortSignal.timeout(SYNC_LIMIT);
  const { repo, mirror, refs, ci } = await syncAndAsk(station, known, job.sha, foreseen, limit);
  const sha = job.sha ?? (job.ref === null ? null : (refs.get(job.ref) ?? null));
  if (sha === null) {
    await markHintsDone(station.ledger, repo.id, target, seen, `${shortRef(job.ref ?? "")} is gone`);
    return;
  }
  failpoint("evaluate.synced");
  const found = await look(station, repo, mirror, sha, { foreseen: ci });
  if (found.verdict.action === "deliver") noteGreen(station, repo.id, sha, began);
  const next = await write(station, repo, mirror, sha, found);
  failpoint("evaluate.written");
  if (next.deliver !== null) await station.queues.add("deliver", { delivery: next.deliver });
  await markHintsDone(station.ledger, repo.id, target, seen, found.verdict.because);
  station.log.info("evaluated", { repo: `${repo.host}/${repo.owner}/${repo.name}`, sha, ...found.verdict });

  if (next.ahead !== null) await station.queues.add("prepare", { delivery: next.ahead });
  for (const artifact of next.names) await station.queues.add("names", { repo: repo.id, artifact });
  await station.queues.add("announce", {}, { delay: next.deliver === null ? 0 : NOT_FOR_LONG });
  if (found.retryAt !== null && found.verdict.action === "wait") {
    const delay = Math.max(0, found.retryAt - station.clock.now());
    await station.queues.add("evaluate", { repo: repo.id, sha, ref: null }, { delay });
  }
}

/** A first clone of a large repo takes its time; a host that hangs must not hold a worker for ever. */
const SYNC_LIMIT = 30 * 60_000;

/** What must be queued after a decision was written. */
interface Next {
  deliver: string | null;
  /** The delivery that may be prepared while its CI runs. */
  ahead: string | null;
  names: string[];
}

const NOTHING: Next = { deliver: null, ahead: null, names: [] };

async function write(station: Station, repo: Repo, mirror: Mirror, sha: Sha, found: Look): Promise<Next> {
  const existing = await findDelivery(station.ledger, repo.id, sha);
  if (found.unknown && existing === null) {
    await recordDecision(station.ledger, repo.id, sha, found.verdict);
    return NOTHING;
  }
  const commit = found.unknown ? null : await mirror.commit(sha);
  const target = targetState(found, existing);
  const names = namesOf(found.plan);
  if (existing?.state === "delivered") return lookAgain(station, repo, mirror, existing, found);
  const next = await station.ledger.transaction(async (tx) => {
    await recordDecision(tx, repo.id, sha, found.verdict);
    const delivery = await ensureDelivery(tx, repo.id, sha, {
      ref: found.refs[0] ?? null,
      state: target.state === "queued" ? "waiting" : target.state,
      because: target.because,
      message: commit?.message ?? "",
      author: commit?.author ?? "",
      committedAt: commit?.committedAt.getTime() ?? null,
    });
    if (!mayBeDecidedAgain(delivery)) return NOTHING;
    const from: DeliveryState[] = [delivery.state];
    const facts = { plan: found.plan, ref: found.refs[0] ?? null };
    const takeBack = found.verdict.bad !== undefined;
    const change = { from, to: target.state, because: target.because, takeBack, ...facts };
    if (!(await setState(tx, delivery.id, change))) return NOTHING;
    const subject = { repoId: repo.id, sha, deliveryId: delivery.id };
    if (target.state === "ignored")
      await queueReports(tx, station, subject, namesOf(delivery.plan), "ignored", target.because);
    else if (names.length > 0 || found.badPlan !== null) {
      await queueReports(tx, station, subject, names, target.state, target.because, found.verdict.bad !== undefined);
    }
    const mayGoAhead = station.config.prepare === "eager" && target.state === "waiting" && !takeBack;
    return {
      deliver: target.state === "queued" ? delivery.id : null,
      ahead: mayGoAhead && found.plan !== null ? delivery.id : null,
      names: [],
    };
  });
  const isLost = target.state === "superseded" || target.state === "ignored" || target.state === "failed";
  if (existing?.state === "waiting" && isLost) await tellWasted(station, existing.id);
  if (target.state === "queued" || target.state === "waiting") {
    const newer = await findDelivery(station.ledger, repo.id, sha);
    if (newer !== null) await supersedeOlder(station, mirror, newer, sha);
  }
  return next;
}

/** A commit that is delivered may have gained a version or a branch since, or its CI may have turned red. Nothing is taken back. */
async function lookAgain(station: Station, repo: Repo, mirror: Mirror, delivery: Delivery, found: Look): Promise<Next> {
  const { ledger } = station;
  if (found.verdict.bad === "red") await noteTurnedRed(station, delivery, found.verdict.because);
  if (found.plan === null || found.refs.length === 0) return NOTHING;
  const names = namesOf(found.plan);
  await ledger.transaction(async (tx) => {
    for (const artifact of names)
      await oweNames(tx, { repoId: repo.id, sha: delivery.sha, deliveryId: delivery.id, artifact });
  });
  if (found.verdict.action !== "deliver") return { ...NOTHING, names };
  if (!(await owesNames(station, repo, mirror, delivery, found.plan, found.refs))) return { ...NOTHING, names };
  const because = "the commit has a new name: publishing it";
  const moved = await setState(ledger, delivery.id, { from: ["delivered"], to: "queued", because });
  return { ...NOTHING, deliver: moved ? delivery.id : null, names };
}

/** Nothing that a look could find would change it: its attempt reads the light itself, and what is told meanwhile is looked at afterwards. */
function isUnderWay({ state }: Delivery): boolean {
  return ACTIVE.some((one) => one === state);
}

function namesOf(plan: Plan | null): string[] {
  return plan?.artifacts.map((artifact) => artifact.name) ?? [];
}

/** What has been begun, or ended by a person or by the user's own mistake, is not for a hint to change. */
function mayBeDecidedAgain(delivery: Delivery): boolean {
  switch (delivery.state) {
    case "waiting":
    case "ignored":
    case "superseded":
      return true;
    // Failed without an attempt: its pipeline file was bad, or its CI never spoke. Both can mend.
    case "failed":
      return delivery.attempts === 0;
    case "queued":
    case "building":
    case "publishing":
    case "delivered":
    case "cancelled":
      return false;
  }
}

function targetState(found: Look, existing: Delivery | null): { state: DeliveryState; because: string } {
  if (found.badPlan !== null) return { state: "failed", because: found.badPlan.message };
  const because = found.verdict.because;
  switch (found.verdict.action) {
    case "deliver":
      // Whoever prepares it ahead goes on, and a worker takes over from there.
      return {
        state: "queued",
        because: `${because}; ${existing?.leaseOwner ? "being prepared" : "waiting for a worker"}`,
      };
    case "wait":
      return { state: found.verdict.bad === "timed-out" ? "failed" : "waiting", because };
    case "ignore":
      return { state: "ignored", because };
    case "superseded":
      return { state: "superseded", because };
  }
}
