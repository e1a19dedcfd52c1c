import assert from "node:assert/strict";
import type { Host, LostWebhooks } from "../../../src/hosts/host.ts";
import { hintsOf } from "../../../src/ledger/hints.ts";
import { addOrders, ordersOf } from "../../../src/ledger/orders.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { carryOutOrders } from "../../../workers/evaluate/carry-out-orders.ts";
import { CatchUp } from "../../../workers/sweep/catch-up.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const repo = { hostId: "1", owner: "acme", name: "api", defaultBranch: "main" };
const elsewhere = { ...repo, hostId: "2", owner: "globex" };

describe("What a host could not deliver", function () {
  this.timeout(60_000);
  let at: TestStation;
  let sha: string;
  let lost: LostWebhooks;
  let asked: number[];
  let now: number;
  let jobs: string[];
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    now = Date.now();
    asked = [];
    jobs = [];
    lost = { hints: [], orders: [], until: 0 };
    const host = at.host as Pick<Host, "lostWebhooks" | "mayWrite">;
    host.lostWebhooks = async (since) => {
      asked.push(since);
      return lost;
    };
    host.mayWrite = async () => true;
    at.station.clock = { now: () => now };
    at.station.queues.add = async (name, job) => {
      jobs.push(`${name} ${JSON.stringify(job)}`);
      return true;
    };
  });
  afterEach(() => at.close());

  it("is read at the start for the last day, then hourly from where the last round ended", async () => {
    const catchUp = new CatchUp(at.station);
    lost.until = now - 60_000;
    await catchUp.round();
    now += HOUR / 2;
    await catchUp.round();
    now += HOUR / 2;
    await catchUp.round();
    assert.deepEqual(asked, [now - HOUR - DAY, lost.until]);
  });

  it("becomes hints of repos that the configuration names, and of no others", async () => {
    const hint = { event: "push", deliveryId: "g-1", ref: "refs/heads/main", sha };
    lost.hints = [
      { ...hint, repo },
      { ...hint, repo: elsewhere },
    ];
    await new CatchUp(at.station).round();
    const found = await hintsOf(at.station.ledger, REPO, sha);
    assert.deepEqual(
      found.map(({ event, deliveryId, ref }) => [event, deliveryId, ref]),
      [["push", "g-1", "refs/heads/main"]],
    );
    assert.deepEqual(jobs, [`evaluate ${JSON.stringify({ repo: REPO, sha, ref: null })}`]);
  });

  it("becomes an order once, however often it is read", async () => {
    at.host.ciState = async () => ci("pending");
    await story.played(sha);
    const order = { action: "cancel" as const, person: "sam", event: "check_run requested_action", deliveryId: "g-2" };
    lost.orders = [
      { ...order, repo, sha },
      { ...order, repo: elsewhere, sha },
    ];
    await new CatchUp(at.station).round();
    await carryOutOrders(at.station);
    await new CatchUp(at.station).round();
    assert.deepEqual(
      (await ordersOf(at.station.ledger, REPO, sha)).map(({ because }) => because),
      ["it is cancelled"],
    );
    assert.match(await story.stands(sha), /^cancelled/);
  });

  it("of one host holds up no other", async () => {
    const asked: string[] = [];
    const of = (key: string, fails: boolean) =>
      ({
        lostWebhooks: async () => {
          asked.push(key);
          if (fails) throw new Error("the host does not answer");
          return lost;
        },
      }) as unknown as Host;
    at.station.hosts = new Map([
      ["down", of("down", true)],
      ["up", of("up", false)],
      ["none", {} as Host],
    ]);
    await new CatchUp(at.station).round();
    assert.deepEqual(asked, ["down", "up"]);
  });

  describe("for so long that it gives a pending report up", () => {
    const status = async () => {
      const rows = await outboxOfCommit(at.station.ledger, REPO, sha);
      return rows.map(({ state }) => state);
    };
    const sentAgo = (ms: number) =>
      at.station.ledger.db
        .updateTable("outbox")
        .set({ state: "sent", sentAt: Date.now() - ms })
        .execute();

    beforeEach(() => {
      Object.assign(at.host, { pendingReportLife: 13 * DAY });
    });

    it("is sent again before, and not after it has ended", async () => {
      at.host.ciState = async () => ci("pending");
      await story.played(sha);
      await sentAgo(12 * DAY);
      await new CatchUp(at.station).round();
      assert.deepEqual([...new Set(await status())], ["sent"]);
      await sentAgo(13 * DAY + HOUR);
      await new CatchUp(at.station).round();
      assert.deepEqual([...new Set(await status())], ["unsent"]);
      assert.ok(jobs.includes("announce {}"));

      at.host.ciState = async () => ci("green");
      await story.played(sha);
      await sentAgo(20 * DAY);
      await new CatchUp(at.station).round();
      assert.deepEqual([...new Set(await status())], ["sent"]);
    });

    it("is left alone on a host that keeps it for ever", async () => {
      Object.assign(at.host, { pendingReportLife: undefined });
      at.host.ciState = async () => ci("pending");
      await story.played(sha);
      await sentAgo(20 * DAY);
      await new CatchUp(at.station).round();
      assert.deepEqual([...new Set(await status())], ["sent"]);
    });
  });
});

describe("An order that comes to nothing", function () {
  this.timeout(60_000);

  it("shows the check once more as it was: the host may show it as asked for", async () => {
    const at = await startStation();
    try {
      const story = storyOf(() => at);
      const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
      await story.played(sha);
      Object.assign(at.host, { mayWrite: async () => false });
      await at.station.ledger.db.updateTable("outbox").set({ state: "sent" }).execute();
      const order = { action: "retry" as const, person: "guest", event: "check_run rerequested", deliveryId: "g-3" };
      await addOrders(at.station.ledger, [{ ...order, repo: acmeApi, sha }]);
      await carryOutOrders(at.station);
      const rows = await outboxOfCommit(at.station.ledger, REPO, sha);
      assert.ok(rows.filter(({ kind }) => kind === "status").every(({ state }) => state === "unsent"));
    } finally {
      await at.close();
    }
  });
});
