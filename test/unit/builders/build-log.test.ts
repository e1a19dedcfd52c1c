import assert from "node:assert/strict";
import type { Trace, Vertex } from "../../../src/builders/buildkit/trace.ts";
import { explainFailure } from "../../../src/builders/engine/build-failure.ts";
import { BuildLog } from "../../../src/builders/image/build-log.ts";
import { testRun } from "../../support/fixtures/run.ts";

const vertex = (name: string, state: Partial<Vertex> = {}): Vertex => ({
  digest: `sha256:${name}`,
  name,
  cached: false,
  started: {},
  completed: null,
  error: "",
  ...state,
});
const trace = (vertexes: Vertex[], logs: [string, string | Buffer][] = []): { trace: Trace } => ({
  trace: { vertexes, logs: logs.map(([name, text]) => ({ vertex: `sha256:${name}`, msg: Buffer.from(text) })) },
});

describe("a build's log", () => {
  function hear(...messages: Parameters<BuildLog["hear"]>[0][]) {
    const run = testRun();
    const log = new BuildLog(run.log);
    for (const message of messages) log.hear(message);
    return { failure: log.end(), text: run.text(), log };
  }

  it("names the step again where the output of two that run at once alternates", () => {
    const { text } = hear(
      trace([vertex("[a 1/2] RUN one")]),
      trace([vertex("[b 1/2] RUN two")]),
      trace([], [["[a 1/2] RUN one", "1\n"]]),
      trace([], [["[b 1/2] RUN two", "2\n"]]),
    );
    assert.deepEqual(text.trim().split("\n"), [
      "[a 1/2] RUN one",
      "[b 1/2] RUN two",
      "[a 1/2] RUN one (goes on)",
      "1",
      "[b 1/2] RUN two (goes on)",
      "2",
    ]);
  });

  it("joins what was cut in the middle of a line or a character", () => {
    const bytes = Buffer.from("grün\n");
    const name = "RUN x";
    const { text } = hear(
      trace([vertex(name)]),
      trace([], [[name, bytes.subarray(0, 3)]]),
      trace([], [[name, bytes.subarray(3)]]),
    );
    assert.match(text, /^grün$/m);
  });

  it("leaves out the engine's internal steps, and marks cached ones", () => {
    const { text } = hear(
      trace([vertex("[internal] load build definition"), vertex("copy /context /", { completed: {} })]),
      trace([vertex("[2/2] RUN make", { cached: true, completed: {} })]),
    );
    assert.equal(text, "[2/2] RUN make (cached)\n");
  });

  it("blames the step that failed, not those that were cancelled for it", () => {
    const { failure } = hear(
      trace([vertex("[a 1/1] RUN slow"), vertex("[b 1/1] RUN bad")]),
      trace(
        [],
        [
          ["[a 1/1] RUN slow", "slow\n"],
          ["[b 1/1] RUN bad", "bad"],
        ],
      ),
      trace([vertex("[a 1/1] RUN slow", { completed: {}, error: "executor failed: context canceled" })]),
      trace([vertex("[b 1/1] RUN bad", { completed: {}, error: "exit code: 9" })]),
      { error: "process did not complete successfully: exit code: 9" },
    );
    assert.deepEqual(failure, {
      message: "process did not complete successfully: exit code: 9",
      step: "RUN bad",
      exitCode: 9,
      tail: ["bad"],
    });
  });

  it("keeps the last state of a progress bar", () => {
    assert.match(hear({ stream: "10%\r50%\r100%\r\n" }).text, /^100%$/m);
  });

  it("holds no more of 100 MB of output than its last lines", () => {
    const log = new BuildLog({ line: () => {}, write: () => {} });
    const chunk = `${"x".repeat(99)}\n`.repeat(10_000);
    global.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 100; index++) log.hear({ stream: chunk });
    log.hear({ error: "The command returned a non-zero code: 1", errorDetail: { code: 1 } });
    assert.equal(log.end()?.tail.length, 20);
    global.gc?.();
    assert.ok(process.memoryUsage().heapUsed - before < 60_000_000);
  });
});

describe("the error of a build that the engine ended", () => {
  const sort = (message: string, more: { exitCode?: number; tail?: string[] } = {}) => {
    const dockerfile = { syntax: "front/end:1", file: "Dockerfile", steps: [] };
    const error = explainFailure({ message, step: "RUN x", exitCode: null, tail: [], ...more }, dockerfile, null);
    return `${error.name} ${error.code}`;
  };
  const cases: [string, string][] = [
    ["write /var/lib/docker/x: no space left on device", "TransientError disk-full"],
    ["rpc error: code = Unavailable desc = transport is closing", "TransientError engine-gone"],
    ["failed to solve: context canceled", "TransientError engine-gone"],
    [
      "failed to solve with frontend gateway.v0: failed to do request: Head x: dial tcp: lookup x: no such host",
      "TransientError frontend-unreachable",
    ],
    ["failed to solve with frontend gateway.v0: docker.io/front/end:1: not found", "UserError frontend-missing"],
    [
      "failed to solve with frontend gateway.v0: rpc error: code = Unknown desc = dockerfile parse error line 1",
      "UserError build-failed",
    ],
    ["Get https://example.com/x: dial tcp 1.2.3.4:443: i/o timeout", "TransientError fetch-failed"],
    ["failed to resolve source metadata for example.com/x: 403 Forbidden", "UserError fetch-refused"],
    ['failed to compute cache key: "/a" not found: not found', "UserError build-failed"],
  ];
  for (const [message, sorted] of cases) it(`is ${sorted}: ${message}`, () => assert.equal(sort(message), sorted));

  it("is disk-full when a step filled the disk", () => {
    assert.equal(sort("exit code: 1", { exitCode: 1, tail: ["npm ERR! ENOSPC"] }), "TransientError disk-full");
  });

  it("is the user's failure when a command could not reach the network: the command chose its exit code", () => {
    assert.equal(
      sort("exit code: 7", { exitCode: 7, tail: ["dial tcp: connection refused"] }),
      "UserError build-failed",
    );
  });
});
