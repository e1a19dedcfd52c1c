import { PUBLISHED_EVENT_TYPE } from "../delivery/event-types.ts";
import type { DeliveryState, RepoId, Sha } from "../delivery/types.ts";
import { decisionsOf, type StoredDecision } from "../ledger/decisions.ts";
import { findDelivery } from "../ledger/deliveries.ts";
import { iso, repoName } from "../ledger/describe-release.ts";
import { headsOf } from "../ledger/heads.ts";
import { hintsOf } from "../ledger/hints.ts";
import { attemptsOf } from "../ledger/leases.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { outboxOfCommit } from "../ledger/outbox.ts";
import { whyNoCommit } from "./why-unknown.ts";

export interface Why {
  repo: string;
  sha: string;
  /** `unknown` if nothing about the commit is on record. */
  state: DeliveryState | "unknown";
  because: string;
  events: { at: string; kind: string; text: string }[];
}

interface Event {
  at: number;
  kind: string;
  text: string;
}

/** Everything on record about a commit, in order of time: hints, decisions with their reasons, attempts, messages. */
export async function whyOf(ledger: Ledger, repoId: RepoId, sha: Sha): Promise<Why> {
  const repo = await repoName(ledger, repoId);
  const delivery = await findDelivery(ledger, repoId, sha);
  const decisions = await decisionsOf(ledger, repoId, sha);
  const heads = await headsOf(ledger, repoId, sha);
  const hints = await hintsOf(ledger, repoId, sha, [...new Set(heads.map((head) => head.ref))]);
  const attempts = delivery === null ? [] : await attemptsOf(ledger, delivery.id);
  const events: Event[] = [
    ...hints.map(
      (hint): Event => ({ at: hint.receivedAt, kind: "hint", text: [hint.event, hint.ref].filter(Boolean).join(" ") }),
    ),
    ...decisions.map(
      ({ at, action, because }): Event =>
        action === "alarm" || action === "name-lost"
          ? { at, kind: action, text: because }
          : { at, kind: "decision", text: `${action}: ${because}` },
    ),
    ...attempts.map(
      (each): Event => ({ at: each.startedAt, kind: "attempt", text: `attempt ${each.number} by ${each.owner}` }),
    ),
    ...attempts.flatMap((each): Event[] =>
      each.endedAt === null
        ? []
        : [
            {
              at: each.endedAt,
              kind: "attempt",
              text: `attempt ${each.number} ended: ${[each.outcome, each.message].filter(Boolean).join(": ")}`,
            },
          ],
    ),
    ...(await outboxOfCommit(ledger, repoId, sha)).filter((row) => row.kind !== "names").flatMap(sent),
  ];
  const last = decisions.at(-1);
  return {
    repo,
    sha,
    state: delivery?.state ?? stateOf(last?.action),
    because: delivery?.because ?? last?.because ?? (await whyNoCommit(ledger, repoId, sha)),
    events: events.sort((a, b) => a.at - b.at).map(({ at, kind, text }) => ({ at: iso(at), kind, text })),
  };
}

/** The state of a commit without a delivery: it was not evaluated completely yet, or it is not delivered at all. */
function stateOf(action: StoredDecision["action"] | undefined): Why["state"] {
  switch (action) {
    case undefined:
      return "unknown";
    case "wait":
      return "waiting";
    case "deliver":
    case "ignore":
    case "superseded":
    case "alarm":
    case "name-lost":
      return "ignored";
  }
}

function sent(row: Awaited<ReturnType<typeof outboxOfCommit>>[number]): Event[] {
  const at = row.sentAt ?? row.updatedAt;
  const state = row.state === "sent" ? "sent" : row.state === "dropped" ? "refused" : "not sent yet";
  const reason = row.error === null ? "" : ` (${row.error})`;
  const text = row.kind === "status" ? statusOf(row.payload) : noticeOf(row.payload);
  return [{ at, kind: row.kind, text: `${text} · ${state}${reason}` }];
}

function statusOf(payload: unknown): string {
  const { context, state, description } = payload as { context?: string; state?: string; description?: string };
  return `${context} ${state}: ${description}`;
}

function noticeOf(payload: unknown): string {
  const { notice } = payload as { notice?: { event?: { type?: string; id?: string } } };
  const { type = PUBLISHED_EVENT_TYPE, id = "" } = notice?.event ?? {};
  if (type === PUBLISHED_EVENT_TYPE) return "ready to deploy";
  if (id.startsWith("gone-")) return "the commit was taken away while it was released";
  return id.startsWith("cancelled-") ? "cancelled too late" : "CI turned red after the release";
}
