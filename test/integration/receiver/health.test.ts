import assert from "node:assert/strict";
import type { HealthCheck } from "../../../src/receiver/health.ts";
import { startReceiver, type TestReceiver } from "./support.ts";

describe("The health pages", () => {
  let receiver: TestReceiver;
  afterEach(() => receiver.close());

  async function readiness(...checks: HealthCheck[]) {
    receiver = await startReceiver({ checks });
    const { status, json } = await receiver.send({ path: "/readyz", method: "GET" });
    return { code: status, ...json };
  }
  const fine = async () => {};
  const broken = async () => {
    throw new Error("connect ECONNREFUSED postgres://deliverd:hidden@db");
  };
  const silent = () => new Promise(() => {});

  it("report that the process is alive", async () => {
    receiver = await startReceiver();
    const answer = await receiver.send({ path: "/healthz", method: "GET" });
    assert.deepEqual([answer.status, answer.json], [200, { status: "ok" }]);
  });

  it("report ready if all checks pass", async () => {
    const ledger = { name: "ledger", vital: true, check: fine };
    assert.deepEqual(await readiness(ledger), { code: 200, status: "ready", degraded: [] });
  });

  it("report degraded, with 200, if webhooks can still be stored", async () => {
    const answer = await readiness(
      { name: "ledger", vital: true, check: fine },
      { name: "redis", vital: false, check: broken },
      { name: "docker", vital: false, check: silent },
    );
    assert.deepEqual(answer, { code: 200, status: "degraded", degraded: ["docker", "redis"] });
  });

  it("report 503 if webhooks cannot be stored, with the reason only in the log", async () => {
    for (const check of [broken, silent]) {
      const answer = await readiness({ name: "ledger", vital: true, check });
      assert.deepEqual(answer, { code: 503, status: "unavailable", degraded: ["ledger"] });
      if (check === broken) await receiver.close();
    }
  });

  it("show metrics in Prometheus' format", async () => {
    receiver = await startReceiver();
    await receiver.sendEvent("push");
    await receiver.sendEvent("ping");
    await receiver.send({ body: "{}" });
    await receiver.send({ path: "/webhooks/nobody" });
    const { text, headers } = await receiver.send({ path: "/metrics", method: "GET" });
    assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(
      text,
      [
        "# HELP deliverd_webhooks_total Webhooks by host and answer.",
        "# TYPE deliverd_webhooks_total counter",
        'deliverd_webhooks_total{host="github",status="202"} 2',
        'deliverd_webhooks_total{host="github",status="401"} 1',
        'deliverd_webhooks_total{host="unknown",status="404"} 1',
        "# HELP deliverd_inbox_pending Hints that are not committed yet.",
        "# TYPE deliverd_inbox_pending gauge",
        "deliverd_inbox_pending 0",
        "",
      ].join("\n"),
    );
  });
});
