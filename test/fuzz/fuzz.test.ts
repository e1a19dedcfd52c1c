import assert from "node:assert/strict";
import { fuzzFiles } from "./files.ts";
import { fuzzWebhooks } from "./webhooks.ts";

describe("deliverd, given mutated input,", () => {
  it("answers 5,000 hostile webhooks without a 5xx or a crash, and stays below 256 MB", async function () {
    this.timeout(120_000);
    const { answers, unexpected, crashes, maxRssMb } = await fuzzWebhooks({ payloads: 5_000, seed: 1 });
    assert.deepEqual(unexpected, []);
    assert.equal(crashes, 0);
    assert.deepEqual(
      Object.keys(answers).filter((status) => Number(status) >= 500),
      [],
    );
    // A fuzzer whose payloads are all refused at the door shows nothing.
    assert.ok(
      (answers[202] ?? 0) > 2_000 && (answers[400] ?? 0) > 1_000 && (answers[401] ?? 0) > 400,
      `${JSON.stringify(answers)}`,
    );
    assert.ok(maxRssMb < 256, `the receiver came to ${maxRssMb} MB`);
  });

  it("accepts or refuses 1,000 damaged YAML files quickly, and never by an unexpected error", async function () {
    this.timeout(60_000);
    const { taken, refused, unexpected, longestMs } = await fuzzFiles({ inputs: 1_000, seed: 1 });
    assert.deepEqual(unexpected, []);
    assert.equal(taken + refused, 1_000);
    assert.ok(taken > 100 && refused > 500, `${taken} taken, ${refused} refused`);
    assert.ok(longestMs < 2_000, `one took ${longestMs} ms of processor time`);
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });
});
