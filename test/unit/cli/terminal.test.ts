import assert from "node:assert/strict";
import { paint, screenOf } from "../../../src/cli/terminal.ts";
import { ago, localTime } from "../../../src/cli/times.ts";

describe("a screen", () => {
  const colorOf = (isTTY: boolean, env: Record<string, string>) => screenOf({ isTTY, columns: 100 }, env).hasColor;

  it("has colours on a terminal, and not elsewhere", () => {
    assert.deepEqual([colorOf(true, {}), colorOf(false, {}), colorOf(true, { TERM: "dumb" })], [true, false, false]);
  });

  it("follows NO_COLOR and FORCE_COLOR, which count only if they are not empty", () => {
    assert.equal(colorOf(true, { NO_COLOR: "1" }), false);
    assert.equal(colorOf(true, { NO_COLOR: "" }), true);
    assert.equal(colorOf(false, { FORCE_COLOR: "1" }), true);
    assert.equal(colorOf(false, { FORCE_COLOR: "" }), false);
    assert.equal(colorOf(true, { FORCE_COLOR: "0" }), false);
    assert.equal(colorOf(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), true);
  });

  it("is as wide as the terminal, and without an end for a script", () => {
    assert.equal(screenOf({ isTTY: true, columns: 100 }, {}).width, 100);
    assert.equal(screenOf({ isTTY: true }, {}).width, 80);
    assert.equal(screenOf({ columns: 100 }, {}).width, Number.POSITIVE_INFINITY);
  });

  it("paints only if it has colours", () => {
    const screen = { isTerminal: true, width: 80, hasColor: true };
    assert.equal(paint(screen, "red", "x"), "\u001b[31mx\u001b[39m");
    assert.equal(paint(screen, null, "x"), "x");
    assert.equal(paint({ ...screen, hasColor: false }, "red", "x"), "x");
  });
});

describe("a time on a terminal", () => {
  const now = Date.parse("2026-03-10T12:00:00.000Z");
  const agoBy = (ms: number) => ago(new Date(now - ms).toISOString(), now);
  const MINUTE = 60_000;

  it("says how long ago it was, up to a week", () => {
    assert.deepEqual(
      [0, MINUTE - 1, MINUTE, 59 * MINUTE, 60 * MINUTE, 23.9 * 60 * MINUTE, 24 * 60 * MINUTE].map(agoBy),
      ["just now", "just now", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "1 d ago"],
    );
    assert.equal(agoBy(6.9 * 24 * 60 * MINUTE), "6 d ago");
  });

  it("is a local date if it is older, or in the future", () => {
    assert.match(agoBy(7 * 24 * 60 * MINUTE), /^2026-03-0[234] \d\d:\d\d$/);
    assert.match(agoBy(-2 * MINUTE), /^2026-03-1[01] \d\d:\d\d:\d\d$/);
    assert.equal(agoBy(-30_000), "just now");
    assert.equal(localTime(new Date(2026, 0, 2, 3, 4, 5).toISOString()), "2026-01-02 03:04:05");
    assert.equal(localTime("nonsense"), "nonsense");
  });
});
