import { Refused, TransientError } from "../src/delivery/errors.ts";
import { backOff } from "../src/delivery/retry.ts";
import { failpoint } from "../src/failpoints.ts";
import type { Report } from "../src/hosts/host.ts";
import { drop, markFailed, markSent, type Outgoing, takeDue } from "../src/ledger/outbox.ts";
import { getRepo } from "../src/ledger/repos.ts";
import { storeTime } from "../src/ledger/sql.ts";
import type { Notice } from "../src/notices/notice.ts";
import { confirmIdentity } from "./identity.ts";
import { hostOf } from "./look.ts";
import type { Station } from "./station.ts";

const AT_ONCE = 16;
const SEND_LIMIT = 30_000;
/** What another worker took is left to it for so long (ms); most are sent in a tenth of a second. */
const TAKEN_FOR = 10_000;

/** What a notice's row in the outbox holds: one row for each target. */
export interface OwedNotice {
  target: string;
  notice: Notice;
}

/** Sends what the outbox owes, until nothing is due; what failed is due again later. At least once, each with its own id. */
export async function announce(station: Station): Promise<void> {
  let soonest: number | null = null;
  for (;;) {
    const due = await takeDue(station.ledger, AT_ONCE, TAKEN_FOR);
    if (due.length === 0) break;
    const waits = await Promise.all(due.map((row) => send(station, row)));
    for (const wait of waits) if (wait !== null) soonest = Math.min(soonest ?? wait, wait);
  }
  if (soonest !== null) await station.queues.add("announce", {}, { delay: soonest });
}

/** @returns in how many ms it is to be tried again; null: it is done with */
async function send(station: Station, row: Outgoing): Promise<number | null> {
  try {
    if (row.kind === "status") await sendStatus(station, row);
    else await sendNotice(station, row.payload as OwedNotice);
    failpoint("announce.sent");
    await markSent(station.ledger, row.id, row.revision);
    failpoint("announce.marked");
    return null;
  } catch (error) {
    const message = station.mask(error instanceof Error ? error.message : String(error));
    const facts = { delivery: row.deliveryId, kind: row.kind, error };
    if (error instanceof Refused) {
      station.log.error("it will never be taken; not sent again", facts);
      await drop(station.ledger, row.id, row.revision, message);
      return null;
    }
    const retryIn = backOff(row.attempts + 1, Math.random(), error instanceof TransientError ? error.retryAfter : null);
    station.log.warn("could not be sent; trying again", { ...facts, retryIn });
    await markFailed(station.ledger, row.id, row.revision, message, retryIn);
    return retryIn;
  }
}

async function sendStatus(station: Station, row: Outgoing): Promise<void> {
  const repo = await getRepo(station.ledger, row.repoId);
  if (repo === null) throw new Refused("repo-unknown", `no repo ${row.repoId}`);
  const seen = await confirmIdentity(station, repo).catch((error: unknown) => {
    // What is no longer shown would be asked for to no end.
    throw error instanceof TransientError && error.code === "repo-not-shown"
      ? new Refused(error.code, error.message)
      : error;
  });
  const known = { ...repo, ...seen, defaultBranch: seen.defaultBranch ?? "" };
  await hostOf(station, known).report({ repo: known, sha: row.sha }, row.payload as Report);
}

async function sendNotice(station: Station, { target, notice }: OwedNotice): Promise<void> {
  const notifier = station.notifiers.find((each) => each.target === target);
  if (notifier === undefined) throw new Refused("notice-target-gone", `notices: ${target} is no longer configured`);
  const at = await storeTime(station.ledger);
  await notifier.send(notice, AbortSignal.timeout(SEND_LIMIT), at);
}
