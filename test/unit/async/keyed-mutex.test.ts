import assert from "node:assert/strict";
import { KeyedMutex } from "../../../src/async/keyed-mutex.ts";

describe("KeyedMutex", () => {
  it("runs the works under one key one after another, and those under other keys at once", async () => {
    const mutex = new KeyedMutex();
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} begins`);
      await new Promise(setImmediate);
      events.push(`${name} ends`);
    };
    await Promise.all([mutex.run("a", work("1")), mutex.run("a", work("2")), mutex.run("b", work("3"))]);
    const under = (...names: string[]) => events.filter((event) => names.includes(event.charAt(0)));
    assert.deepEqual(under("1", "2"), ["1 begins", "1 ends", "2 begins", "2 ends"]);
    assert.ok(events.indexOf("3 begins") < events.indexOf("1 ends"), events.join(", "));
  });

  it("hands on the result or the failure of a work, and then runs the next", async () => {
    const mutex = new KeyedMutex();
    const failed = mutex.run("a", () => Promise.reject(new Error("no")));
    const next = mutex.run("a", async () => 2);
    await assert.rejects(failed, { message: "no" });
    assert.equal(await next, 2);
  });
});
