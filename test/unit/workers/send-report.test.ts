import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Host, Report, ReportHistory } from "../../../src/hosts/host.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { queueStatus } from "../../../src/ledger/outbox.ts";
import { announce } from "../../../workers/announce/announcer.ts";
import { REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { unitStation } from "../../support/fixtures/station.ts";

const targetUrl = "https://deliverd.example.com/deliveries/d";

describe("reports to a host", () => {
  const store = useLedger();
  let sent: { report: Report; history: ReportHistory | undefined }[];
  let fails: boolean;
  let deliveryId: string;

  beforeEach(async () => {
    sent = [];
    fails = false;
    const facts = { ref: null, message: "", author: "", committedAt: null };
    const because = ".deliverd.yml:3: kind: left out; expected image";
    deliveryId = (await ensureDelivery(store.ledger, REPO, SHA, { ...facts, state: "failed", because })).id;
  });

  const say = (state: Report["state"], description = "CI runs") => {
    const payload = { context: "deliverd/api", state, description, targetUrl };
    return store.ledger.transaction((tx) => queueStatus(tx, { repoId: REPO, sha: SHA, deliveryId, payload }));
  };
  const send = async (traits: Partial<Host> = {}) => {
    const findRepo: Host["findRepo"] = async () => ({ hostId: "1", owner: "acme", name: "api", defaultBranch: "main" });
    const report: Host["report"] = async (_commit, report, history) => {
      sent.push({ report, history });
      if (fails) throw new TransientError("host-down", "no answer");
    };
    await announce(unitStation({ ledger: store.ledger, hosts: { github: { findRepo, report, ...traits } } }));
  };
  const due = () => store.ledger.db.updateTable("outbox").set({ retryAt: 1 }).execute();

  it("come with what the host took last", async () => {
    await say("pending");
    await send();
    await say("success", "released 1.2.3");
    await send();
    assert.deepEqual(
      sent.map(({ history }) => [history?.last?.state ?? null, history?.isRepeat]),
      [
        [null, false],
        ["pending", false],
      ],
    );
  });

  it("say that they may have arrived before, after a try that failed", async () => {
    fails = true;
    await say("pending");
    await send();
    fails = false;
    await due();
    await send();
    assert.deepEqual(
      sent.map(({ history }) => history?.isRepeat),
      [false, true],
    );
  });

  it("that say nothing new are not sent to a host that adds a row for each", async () => {
    for (const appendsReports of [true, false]) {
      sent = [];
      await say("pending", `CI runs ${appendsReports}`);
      await send({ appendsReports });
      // The state changed and changed back before the second was sent.
      await say("success");
      await say("pending", `CI runs ${appendsReports}`);
      await send({ appendsReports });
      assert.equal(sent.length, appendsReports ? 1 : 2);
    }
  });

  it("are sent again to such a host where nobody knows which of two arrived last: it looks by itself", async () => {
    await say("pending");
    await send({ appendsReports: true });
    await store.ledger.db.updateTable("outbox").set({ state: "unsent", repeats: 1 }).execute();
    await send({ appendsReports: true });
    assert.equal(sent.length, 2);
    assert.equal(sent[1]?.history?.isRepeat, true);
  });

  it("carry stage, summary, annotations and actions to a host that shows them, and to no other", async () => {
    await say("failure");
    await send({ showsDetails: true });
    const { details } = sent[0]?.report ?? {};
    assert.deepEqual([details?.deliveryId, details?.stage, details?.actions], [deliveryId, "failed", ["retry"]]);
    assert.deepEqual(details?.annotations, [
      { path: ".deliverd.yml", line: 3, message: "kind: left out; expected image" },
    ]);
    assert.match(details?.summary ?? "", /expected image/);
    await say("failure", "once more");
    await send();
    assert.equal(sent[1]?.report.details, undefined);
  });
});
