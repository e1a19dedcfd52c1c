import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { type OtlpCollector, type ReceivedSpan, startOtlpCollector } from "../support/network/otlp-collector.ts";
import { until } from "../support/processes/process.ts";
import { type Deliverd, startDeliverd } from "../support/world/deliverd.ts";
import { image, pipeline, startWorld, stopAndCheck, WEBHOOK_SECRET, type World } from "../support/world/world.ts";

function orphansOf(spans: ReceivedSpan[]): string[] {
  const ids = new Set(spans.map((one) => one.spanId));
  return spans.filter((one) => !ids.has(one.parentSpanId)).map((one) => one.name);
}

describe("The trace of a delivery, with receiver and worker apart,", function () {
  this.timeout(120_000);
  let collector: OtlpCollector;
  let redis: TestRedis;
  let world: World;
  let worker: Deliverd;
  let sha: string;
  let id: string;
  let spans: ReceivedSpan[];

  before(async () => {
    collector = await startOtlpCollector();
    redis = await startRedis();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
    world = await startWorld({ command: "receiver", config: { redisUrl: redis.url }, env });
    const { port: _, ...config } = parse(await readFile(world.deliverd.configFile, "utf8"));
    worker = await startDeliverd({ command: "worker", config, env });
    const repo = await world.repo("traced", { ".deliverd.yml": pipeline([image("traced")]) });
    sha = await world.release(repo);
    await until("it is announced", () => world.notices(repo, sha).length === 1);
    ({ id } = await world.delivery(repo, sha));
    const ofDelivery = await until("its root is there", () =>
      collector.spans.find((one) => one.name === "delivery" && one.attributes["deliverd.delivery"] === id),
    );
    const own = () => collector.spans.filter((one) => one.traceId === ofDelivery.traceId);
    await until("the last stations have sent theirs", () =>
      ["notice", "status", "move name"].every((name) => own().some((one) => one.name === name)),
    );
    // A span is sent when it ends: the one above it comes later.
    spans = await until("what lies above each span is there", () => {
      const now = own();
      return orphansOf(now).length === 1 && now;
    });
  });
  after(async () => {
    await worker?.remove();
    await stopAndCheck(world);
    await redis?.stop();
    await collector?.stop();
  });

  it("passes every station", () => {
    const stations = [
      ...["webhook", "evaluate", "sync", "inspect", "decide"],
      ...["deliver", "line", "prepare", "build", "freeze", "gate", "pin"],
      ...["publish", "upload", "name", "read back", "record", "status", "notice", "move name", "delivery"],
    ];
    const names = new Set(spans.map((one) => one.name));
    assert.deepEqual(
      stations.filter((name) => !names.has(name)),
      [],
      [...names].join(", "),
    );
  });

  it("is one tree: each span lies below another one of the same trace, up to the delivery", () => {
    assert.equal(new Set(spans.map((one) => one.spanId)).size, spans.length);
    assert.deepEqual(orphansOf(spans), ["delivery"]);
    const parentOf = (name: string) => {
      const child = spans.find((one) => one.name === name);
      return spans.find((one) => one.spanId === child?.parentSpanId)?.name;
    };
    assert.deepEqual(
      ["webhook", "deliver", "build", "upload", "record"].map((name) => [name, parentOf(name)]),
      [
        ["webhook", "delivery"],
        ["deliver", "delivery"],
        ["build", "prepare"],
        ["upload", "publish"],
        ["record", "line"],
      ],
    );
  });

  it("comes from both processes, and names host, registry and receiver of each call", () => {
    const processOf = (name: string) => spans.find((one) => one.name === name)?.resource["service.instance.id"];
    assert.notEqual(processOf("webhook"), undefined);
    assert.notEqual(processOf("webhook"), processOf("deliver"));
    const called = spans.filter((one) => one.kind === "CLIENT").map((one) => one.attributes["peer.service"]);
    assert.deepEqual([...new Set(called)].sort(), ["github", "local", "notices"]);
    // Several evaluations share one fetch, so it may lie in the trace of another commit.
    const fetched = collector.spans.filter((one) => one.name === "git fetch");
    assert.deepEqual(new Set(fetched.map((one) => one.attributes["peer.service"])), new Set(["github"]));
  });

  it("joins the log: lines about the delivery have its id, commit, queue and job", () => {
    const lines = worker
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const delivered = lines.find((line) => line.message === "delivered");
    assert.equal(delivered?.delivery, id);
    assert.equal(delivered?.sha, sha);
    assert.equal(delivered?.queue, "deliver");
    assert.match(String(delivered?.job), /^\d+$/);
  });

  it("holds no secret", () => {
    const { token } = world.github;
    for (const secret of [WEBHOOK_SECRET, token, world.registry.password, world.sink.secret, worker.adminToken])
      assert.ok(secret !== null && secret.length > 3 && !collector.raw().includes(secret), "a secret is in a span");
  });

  it("counts each call under the key of its host or registry", async () => {
    const text = await (await fetch(`${worker.url}/metrics`)).text();
    for (const to of ["github", "local", "notices"])
      assert.match(text, new RegExp(`^deliverd_calls_total\\{to="${to}",outcome="ok"\\} [1-9]`, "m"));
  });
});
