import { Refused, TransientError } from "../../src/delivery/errors.ts";
import { fullRepoName } from "../../src/delivery/repo-name.ts";
import { backOff } from "../../src/delivery/retry.ts";
import type { Repo } from "../../src/delivery/types.ts";
import { addToAudit } from "../../src/ledger/audit.ts";
import { decideByPerson } from "../../src/ledger/by-person.ts";
import { requestCancel } from "../../src/ledger/cancel.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, findDelivery, getDelivery, retryDelivery } from "../../src/ledger/deliveries.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { dueOrders, finishOrder, postponeOrder, type StoredOrder } from "../../src/ledger/orders.ts";
import { repeatStatuses } from "../../src/ledger/repeat-statuses.ts";
import { getRepo } from "../../src/ledger/repos.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { hostOf } from "../commit/host-of.ts";
import { confirmIdentity } from "../commit/repo-identity.ts";
import type { Station } from "../station.ts";

type OrderParts = Pick<Station, "config" | "ledger" | "queues" | "hosts" | "identities" | "log" | "mask">;

/** Nobody expects a button to act a day after it was pressed (ms). */
const MAX_AGE_MS = 24 * 60 * 60_000;

/**
 * Carries out what people asked for at their hosts, as `POST …/retry` and `…/cancel` do. The host is asked first
 * whether the person may write to the repo: the webhook says only who pressed the button. An order that the host does
 * not answer for is tried again; running beside itself, this carries each order out once.
 */
export async function carryOutOrders(station: OrderParts): Promise<void> {
  for (const order of await dueOrders(station.ledger)) {
    try {
      await carryOut(station, order);
    } catch (error) {
      const message = station.mask(error instanceof Error ? error.message : String(error));
      if (error instanceof NotCarriedOut || error instanceof Refused) await refuse(station, order, message);
      else {
        const asked = error instanceof TransientError ? error.retryAfter : null;
        await postponeOrder(station.ledger, order.id, message, backOff(order.attempts + 1, Math.random(), asked));
        station.log.warn("an order could not be carried out; trying again", { order: order.id, error });
      }
    }
  }
}

/** Why an order is not carried out, and never will be. */
class NotCarriedOut extends Error {}

/** @throws NotCarriedOut, Refused, TransientError if the host does not answer */
async function carryOut(station: OrderParts, order: StoredOrder): Promise<void> {
  const { ledger } = station;
  if ((await storeTime(ledger)) - order.receivedAt > MAX_AGE_MS)
    throw new NotCarriedOut("it could not be carried out within a day");
  const repo = await repoOf(station, order);
  await requireRight(station, repo, order);
  const delivery = await findDelivery(ledger, order.repoId, order.sha);
  if (delivery === null) throw new NotCarriedOut("this commit has no delivery");
  const because = await finishOrder(ledger, order.id, async (tx) => {
    const text = await decide(tx, station, order, delivery);
    await note(tx, order, text);
    await recordDecision(tx, order.repoId, order.sha, { action: "ignore", because: `${said(order)}: ${text}` });
    await repeatStatuses(tx, order.repoId, order.sha);
    return text;
  });
  if (because === null) return;
  station.log.info("carried out an order", { repo: fullRepoName(repo), sha: order.sha, ...facts(order), because });
  await queueNext(station, delivery.id);
}

async function repoOf(station: OrderParts, order: StoredOrder): Promise<Repo> {
  const known = await getRepo(station.ledger, order.repoId);
  if (known === null) throw new NotCarriedOut(`no repo ${order.repoId}`);
  const seen = await confirmIdentity(station, known);
  return { ...known, ...seen, defaultBranch: seen.defaultBranch ?? "" };
}

async function requireRight(station: OrderParts, repo: Repo, { person }: StoredOrder): Promise<void> {
  const host = hostOf(station, repo);
  if (host.mayWrite === undefined)
    throw new NotCarriedOut(`${repo.host} cannot say whether ${person} may write to the repo`);
  if (!(await host.mayWrite(repo, person))) throw new NotCarriedOut(`${person} may not write to ${fullRepoName(repo)}`);
}

/** @returns what came of it, for people */
async function decide(tx: Tx, station: OrderParts, order: StoredOrder, { id, state }: Delivery): Promise<string> {
  switch (order.action) {
    case "retry": {
      const because = `tried again by ${order.person}`;
      const outcome = await decideByPerson(tx, station, id, (inner) => retryDelivery(inner, id, because));
      return outcome === "queued" ? "it is tried again" : `a delivery that is ${state} cannot be retried`;
    }
    case "cancel": {
      const because = `cancelled by ${order.person}`;
      const outcome = await decideByPerson(tx, station, id, (inner) => requestCancel(inner, id, because));
      if (outcome === "ended") return "it is cancelled";
      if (outcome === "requested") return "its worker is asked to stop";
      return outcome === "naming"
        ? "its names are being written, so it is finished all the same"
        : `a delivery that is ${state} cannot be cancelled`;
    }
  }
}

async function refuse({ ledger, log, queues }: OrderParts, order: StoredOrder, because: string): Promise<void> {
  await finishOrder(ledger, order.id, async (tx) => {
    const text = `${said(order)}, and was refused: ${because}`;
    await note(tx, order, `refused: ${because}`);
    await recordDecision(tx, order.repoId, order.sha, { action: "ignore", because: text });
    await repeatStatuses(tx, order.repoId, order.sha);
    return `refused: ${because}`;
  });
  await queues.add("announce", {});
  log.warn("refused an order", { ...facts(order), because });
}

/** The host of an order is the first part of its repo's id. */
function note(tx: Tx, { person, action, repoId, sha }: StoredOrder, outcome: string): Promise<void> {
  const via = repoId.slice(0, Math.max(0, repoId.indexOf(":")));
  return addToAudit(tx, { person, via, action, repoId, sha, outcome });
}

async function queueNext({ ledger, queues }: OrderParts, id: string): Promise<void> {
  const delivery = await getDelivery(ledger, id);
  if (delivery?.state === "queued") await queues.add("deliver", { delivery: id });
  await queues.add("announce", {});
}

function said({ person, action, event }: StoredOrder): string {
  return `${person} asked to ${action} it (${event})`;
}

function facts({ id, action, person }: StoredOrder) {
  return { order: id, action, person };
}
