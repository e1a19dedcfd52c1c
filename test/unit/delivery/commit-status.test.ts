import assert from "node:assert/strict";
import fc from "fast-check";
import { oneLine, statusContext, statusText } from "../../../src/delivery/commit-status.ts";
import type { DeliveryState } from "../../../src/delivery/types.ts";

describe("the commit status", () => {
  it("stands under the artifact's own context, or deliverd's where none is known", () => {
    assert.equal(statusContext("api"), "deliverd/api");
    assert.equal(statusContext(null), "deliverd");
  });

  const rows: [DeliveryState, boolean, string][] = [
    ["waiting", false, "pending"],
    ["waiting", true, "failure"],
    ["queued", false, "pending"],
    ["building", false, "pending"],
    ["publishing", false, "pending"],
    ["delivered", false, "success"],
    ["failed", false, "failure"],
    ["cancelled", false, "error"],
    ["superseded", false, "error"],
  ];
  for (const [state, bad, shown] of rows) {
    it(`${state}${bad ? " with bad CI" : ""} is ${shown}`, () => {
      assert.deepEqual(statusText(state, "why", bad), { state: shown, description: "why" });
    });
  }

  it("ignored is error: what was pending will not be delivered", () => {
    assert.deepEqual(statusText("ignored", "why", false), { state: "error", description: "not delivered: why" });
  });

  it("is the first line of the reason", () => {
    assert.equal(oneLine("  the build failed \nstep 3\n"), "the build failed");
    assert.equal(oneLine(""), "");
  });

  it("is cut at a word, with an ellipsis, where it is longer than GitHub takes", () => {
    assert.equal(oneLine("x".repeat(140)), "x".repeat(140));
    assert.equal(oneLine("x".repeat(141)), `${"x".repeat(139)}…`);
    assert.equal(oneLine("word ".repeat(40)), `${"word ".repeat(27).trim()}…`);
  });

  it("is not cut within a character", () => {
    assert.equal(oneLine("🚀".repeat(80)), `${"🚀".repeat(69)}…`);
  });

  it("is never longer than 140 characters, nor of two lines, and begins as the reason does", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (text) => {
        const line = oneLine(text);
        assert.ok(line.length <= 140 && !line.includes("\n"));
        assert.ok(text.trimStart().startsWith(line.replace(/…$/, "")) || text.includes(line.replace(/…$/, "")));
      }),
    );
  });
});
