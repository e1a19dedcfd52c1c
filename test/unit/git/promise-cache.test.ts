import assert from "node:assert/strict";
import { PromiseCache } from "../../../src/git/promise-cache.ts";

describe("a cache of promises", () => {
  const asked: string[] = [];
  const ask = (key: string) => async () => {
    asked.push(key);
    return key.toUpperCase();
  };
  beforeEach(() => asked.splice(0));

  it("are asked for once, also by those who ask at the same time", async () => {
    const recent = new PromiseCache<string>(2);
    assert.deepEqual(await Promise.all([recent.get("a", ask("a")), recent.get("a", ask("a"))]), ["A", "A"]);
    assert.equal(await recent.get("a", ask("a")), "A");
    assert.deepEqual(asked, ["a"]);
  });

  it("make room for newer ones, the one not asked for longest first", async () => {
    const recent = new PromiseCache<string>(2);
    for (const key of ["a", "b", "a", "c", "a", "b"]) await recent.get(key, ask(key));
    assert.deepEqual(asked, ["a", "b", "c", "b"]);
  });

  it("are no failures", async () => {
    const recent = new PromiseCache<string>(2);
    await assert.rejects(
      recent.get("a", () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await recent.get("a", ask("a")), "A");
  });
});
