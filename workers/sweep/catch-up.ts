import { matchRepo } from "../../src/delivery/bounds.ts";
import type { Host, HostRepo } from "../../src/hosts/host.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { addHints, type NewHint } from "../../src/ledger/hints.ts";
import { addOrders } from "../../src/ledger/orders.ts";
import { repeatPendingStatuses } from "../../src/ledger/repeat-statuses.ts";
import type { Station } from "../station.ts";

const DUTY = "catch up";
const TURN_MS = 2 * 60_000;
const EVERY_MS = 60 * 60_000;
/**
 * How far the first round of a process looks back (ms). It is not kept where the last one ended: a hint that comes twice
 * costs one look, an order is stored once, and after a day nobody carries it out any more.
 */
const FIRST_SPAN_MS = 24 * 60 * 60_000;

type CatchUpParts = Pick<Station, "config" | "ledger" | "queues" | "hosts" | "clock" | "owner" | "log">;

/** Hourly: reads the webhooks that a host could not deliver, and repeats reports before the host gives them up. */
export class CatchUp {
  readonly #station: CatchUpParts;
  /** By the key of the host: where its next round begins, in ms since the epoch by the host's clock. */
  readonly #since = new Map<string, number>();
  #nextAt = 0;

  constructor(station: CatchUpParts) {
    this.#station = station;
  }

  async round(): Promise<void> {
    const { ledger, owner, clock, hosts, log } = this.#station;
    if (!(await holdDuty(ledger, DUTY, owner, TURN_MS)) || clock.now() < this.#nextAt) return;
    this.#nextAt = clock.now() + EVERY_MS;
    for (const [key, host] of hosts) {
      try {
        await this.#repeatReports(key, host);
        await this.#readLost(key, host);
      } catch (error) {
        log.warn("the lost webhooks of a host could not be read; the next round comes", { host: key, error });
      }
    }
  }

  async #repeatReports(key: string, { pendingReportLife }: Host): Promise<void> {
    if (pendingReportLife === undefined) return;
    const repeated = await repeatPendingStatuses(this.#station.ledger, key, pendingReportLife);
    if (repeated > 0) await this.#station.queues.add("announce", {});
  }

  async #readLost(key: string, host: Host): Promise<void> {
    if (host.lostWebhooks === undefined) return;
    const { config, ledger, queues, clock, log } = this.#station;
    const found = await host.lostWebhooks(this.#since.get(key) ?? clock.now() - FIRST_SPAN_MS);
    const isAllowed = ({ repo }: { repo: HostRepo }) => matchRepo(config.repos, { host: key, ...repo }) !== null;
    const hints: NewHint[] = found.hints.filter(isAllowed).map((hint) => ({ ...hint, repo: seenRepo(key, hint.repo) }));
    const orders = found.orders.filter(isAllowed).map((order) => ({ ...order, repo: seenRepo(key, order.repo) }));
    if (hints.length > 0) await addHints(ledger, hints);
    if (orders.length > 0) await addOrders(ledger, orders);
    this.#since.set(key, found.until);
    for (const { repo, sha, ref } of hints)
      await queues.add("evaluate", { repo: repo.id, sha, ref: sha === null ? ref : null });
    if (hints.length + orders.length > 0)
      log.info("read webhooks that a host could not deliver", {
        host: key,
        hints: hints.length,
        orders: orders.length,
      });
  }
}

function seenRepo(host: string, { hostId, owner, name, defaultBranch }: HostRepo): NewHint["repo"] {
  return { id: `${host}:${hostId}`, host, owner, name, defaultBranch };
}
