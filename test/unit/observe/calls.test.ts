import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { outcomeOf } from "../../../src/observe/call.ts";
import { createLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { createMetrics, type Metrics } from "../../../src/observe/metrics.ts";
import { observeCall } from "../../../src/observe/observe-call.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import { calling, type Observer, observed, towards } from "../../../src/observe/scope.ts";
import { inTrace } from "../../../src/observe/span.ts";

describe("A call to another server", () => {
  let stream: PassThrough;
  let metrics: Metrics;
  let observer: Observer;
  beforeEach(() => {
    stream = new PassThrough();
    metrics = createMetrics();
    const log = createLog({ mask: createMask(["s3cret-value"]), stream });
    observer = createObserver({ metrics, log, tracer: null });
  });
  const lines = () =>
    (stream.read() ?? "")
      .toString()
      .split("\n")
      .filter((line: string) => line !== "")
      .map((line: string) => JSON.parse(line) as Record<string, unknown>);
  const question = { method: "GET", origin: "https://hub.example.com", isAborted: () => false };
  const answer = (status: number, headers = {}) =>
    observeCall(
      question,
      async () => ({ status, headers }),
      (one) => one,
    );

  it("has an outcome by its status", () => {
    const outcomes = [200, 307, 401, 403, 404, 409, 429, 500, 503].map((status) => outcomeOf(status, {}));
    assert.deepEqual(outcomes, ["ok", "ok", "denied", "denied", "absent", "refused", "limited", "failed", "failed"]);
    assert.equal(outcomeOf(403, { "x-ratelimit-remaining": "0" }), "limited");
    assert.equal(outcomeOf(403, { "retry-after": "60" }), "limited");
  });

  it("is counted under the key of the host or registry whose method makes it", async () => {
    const registry = towards(observer, "hub", { check: () => answer(200), label: "hub", find: () => answer(404) });
    await registry.check();
    await registry.check();
    await registry.find();
    assert.equal(registry.label, "hub");
    const text = await metrics.text();
    assert.match(text, /^deliverd_calls_total\{to="hub",outcome="ok"\} 2$/m);
    assert.match(text, /^deliverd_calls_total\{to="hub",outcome="absent"\} 1$/m);
    assert.match(text, /^deliverd_call_seconds_count\{to="hub"\} 3$/m);
  });

  it("is not counted in a method that calls nobody, and keeps its receiver", async () => {
    class Host {
      readonly #budget = 7;
      budget = () => this.#budget;
      read() {
        return answer(200).then(() => this.#budget);
      }
    }
    const host = towards(observer, "github", new Host(), ["read"]);
    assert.equal(host.budget(), 7);
    assert.equal(await host.read(), 7);
    assert.doesNotMatch(await metrics.text(), /^deliverd_calls_total\{/m);
  });

  it("that fails is logged with the ids that join it to its delivery, job and request", async () => {
    await observed(observer, { queue: "deliver", job: "17" }, () =>
      inTrace({ repoId: "github:1", commit: "abc" }, "deliver", { delivery: "d1", repo: "github:1", sha: "abc" }, () =>
        calling("hub", () => answer(503, { "x-request-id": "r-9" })),
      ),
    );
    const [line, ...more] = lines();
    const { at: _at, ms: _ms, ...facts } = line ?? {};
    assert.deepEqual(more, []);
    assert.deepEqual(facts, {
      level: "warn",
      message: "a call failed",
      ...{ queue: "deliver", job: "17", delivery: "d1", repo: "github:1", sha: "abc" },
      ...{ to: "hub", outcome: "failed", method: "GET", origin: "https://hub.example.com", status: 503 },
      requestId: "r-9",
    });
  });

  it("without a response is logged with its error, and no secret", async () => {
    const broken = observed(observer, {}, () =>
      calling("hub", () =>
        observeCall(
          question,
          () => Promise.reject(new Error("connect ECONNREFUSED with s3cret-value")),
          () => ({ status: null, headers: {} }),
        ),
      ),
    );
    await assert.rejects(broken);
    const [line] = lines();
    assert.equal(line?.outcome, "unreachable");
    assert.equal(line?.error, "connect ECONNREFUSED with [secret]");
  });

  it("that asks whether something is there, or that we gave up, is no failure", async () => {
    await observed(observer, {}, async () => {
      for (const status of [401, 404, 409]) await answer(status);
      const givenUp = observeCall(
        { ...question, isAborted: () => true },
        () => Promise.reject(new Error("stopped")),
        () => ({ status: null, headers: {} }),
      );
      await assert.rejects(givenUp);
    });
    assert.deepEqual(lines(), []);
    assert.match(await metrics.text(), /^deliverd_calls_total\{to="unknown",outcome="aborted"\} 1$/m);
  });
});
