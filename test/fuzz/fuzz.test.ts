import assert from "node:assert/strict";
import { keyOf } from "../support/hosts/examples/host-examples.ts";
import { hostExamples } from "../support/hosts/examples/index.ts";
import { fuzzFiles } from "./files.ts";
import { fuzzWebhooks } from "./webhooks.ts";

describe("deliverd, given mutated input,", () => {
  it("answers 1,500 hostile webhooks for each type of host without a 5xx or a crash, and stays below 256 MB", async function () {
    this.timeout(240_000);
    const { answers, unexpected, crashes, maxRssMb } = await fuzzWebhooks({ payloadsForEach: 1_500, seed: 1 });
    assert.deepEqual(unexpected, []);
    assert.equal(crashes, 0);
    assert.deepEqual(Object.keys(answers).sort(), hostExamples.map(keyOf).sort());
    for (const [type, ofType] of Object.entries(answers)) {
      const caused = Object.keys(ofType).filter((status) => Number(status) >= 500);
      assert.deepEqual(caused, [], type);
      // A fuzzer whose payloads are all refused at the door shows nothing.
      const isBroad = (ofType[202] ?? 0) > 300 && (ofType[400] ?? 0) > 200 && (ofType[401] ?? 0) > 90;
      assert.ok(isBroad, `${type}: ${JSON.stringify(ofType)}`);
    }
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
