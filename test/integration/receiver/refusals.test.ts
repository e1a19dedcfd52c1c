import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { createLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { startReceiver, type TestReceiver } from "./support.ts";

describe("The log of refused webhooks", () => {
  let receiver: TestReceiver;
  let stream: PassThrough;
  beforeEach(async () => {
    stream = new PassThrough();
    receiver = await startReceiver({ log: createLog({ mask: createMask([]), stream }) });
  });
  afterEach(() => receiver.close());
  const lines = (): Record<string, unknown>[] =>
    (stream.read() ?? "")
      .toString()
      .split("\n")
      .filter((line: string) => line !== "")
      .map((line: string) => JSON.parse(line) as Record<string, unknown>);

  it("names host, answer, address and the host's id of the request, whatever the reason", async () => {
    await receiver.send({ body: "{}", headers: { "x-github-delivery": "d-1" } });
    await receiver.send({ headers: { "content-type": "text/plain", "x-github-delivery": "d-2" } });
    await receiver.send({ path: "/webhooks/nobody", headers: { "x-github-delivery": "d".repeat(500) } });
    const found = lines().map(({ level, host, status, from, request }) => ({ level, host, status, from, request }));
    const common = { level: "warn", from: "127.0.0.1" };
    assert.deepEqual(found, [
      { ...common, host: "github", status: 401, request: "d-1" },
      { ...common, host: "github", status: 415, request: "d-2" },
      { ...common, host: "nobody", status: 404, request: "d".repeat(100) },
    ]);
  });

  it("has a few lines of a flood, and nothing of a webhook that is taken", async () => {
    await receiver.sendEvent("push");
    assert.deepEqual(lines(), []);
    for (let n = 0; n < 20; n++) await receiver.send({ body: "{}" });
    assert.equal(lines().length, 5);
  });
});
