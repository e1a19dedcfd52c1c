import assert from "node:assert/strict";
import stringWidth from "string-width";
import { type Column, cutToWidth, formatTable } from "../../../src/cli/table.ts";
import type { Screen } from "../../../src/cli/terminal.ts";

interface Row {
  name: string;
  state: string;
  why: string;
}

const COLUMNS: Column<Row>[] = [
  { heading: "NAME", text: ({ name }) => name, canShrink: true },
  { heading: "STATE", text: ({ state }) => state, style: () => "green" },
  { heading: "SEEN", text: () => "now", isForTerminal: true },
  { heading: "WHY", text: ({ why }) => why, terminalText: ({ why }) => why.toUpperCase(), canShrink: true },
];
const ROWS: Row[] = [
  { name: "api", state: "failed", why: "because" },
  { name: "frontend", state: "ok", why: "" },
];
const SCRIPT: Screen = { isTerminal: false, width: Number.POSITIVE_INFINITY, hasColor: false };
const TERMINAL: Screen = { isTerminal: true, width: 60, hasColor: false };

const HOSTILE = [
  "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\",
  "\u009b2J\u0090q\u009c",
  "first\nsecond\r\nthird\tfourth\u2028fifth\u0085sixth",
  "\u202eevil\u2066 \u2069",
  "日本語の説明".repeat(20),
  "👩‍👩‍👧‍👦🇩🇪".repeat(30),
  `e${"\u0301".repeat(200)}`,
  "\u200b".repeat(500),
  "\ud800",
  "x".repeat(100_000),
];

describe("a table of the command line", () => {
  it("is one line per row for a script: the same columns, no headings, nothing cut", () => {
    assert.equal(formatTable(SCRIPT, COLUMNS, ROWS), "api       failed  because\nfrontend  ok      ");
    const long = "a long reason ".repeat(50).trim();
    assert.ok(formatTable(SCRIPT, COLUMNS, [{ name: "api", state: "ok", why: long }]).endsWith(long));
  });

  it("has headings and more columns on a terminal", () => {
    assert.deepEqual(formatTable(TERMINAL, COLUMNS, ROWS).split("\n"), [
      "NAME      STATE   SEEN  WHY",
      "api       failed  now   BECAUSE",
      "frontend  ok      now   ",
    ]);
  });

  it("is not wider than the terminal: the widest columns that may shrink are cut", () => {
    const rows = [{ name: "a-name-of-thirty-characters-xx", state: "failed", why: "a long reason ".repeat(9) }];
    const lines = formatTable({ ...TERMINAL, width: 50 }, COLUMNS, rows).split("\n");
    for (const line of lines) assert.ok(stringWidth(line) <= 50, line);
    assert.match(lines[1] ?? "", /^a-name-of-thirty… {2}failed {2}now {3}A LONG REASON A …$/);
  });

  it("leaves out the columns that scripts do not get if the terminal is too narrow for them", () => {
    const rows = [{ name: "a-name-of-thirty-characters-xx", state: "failed", why: "a long reason ".repeat(9) }];
    assert.deepEqual(formatTable({ ...TERMINAL, width: 28 }, COLUMNS, rows).split("\n"), [
      "NAME       STATE   WHY",
      "a-name-o…  failed  A LONG R…",
    ]);
  });

  it("stays a table whatever its cells hold, and passes on no control character", () => {
    for (const hostile of HOSTILE) {
      const rows = [{ name: hostile, state: "failed", why: hostile }, ...ROWS];
      const lines = formatTable(TERMINAL, COLUMNS, rows).split("\n");
      assert.equal(lines.length, 4, hostile.slice(0, 30));
      for (const line of lines) {
        assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        assert.ok(stringWidth(line) <= TERMINAL.width, line);
      }
      // Each state begins in the same column.
      const starts = lines
        .slice(1)
        .map((line) => stringWidth(line.slice(0, /\b(?:failed|ok)\b {2}/.exec(line)?.index)));
      assert.equal(new Set(starts).size, 1, lines.join("\n"));
      assert.equal(formatTable(SCRIPT, COLUMNS, rows).split("\n").length, 3);
    }
  });

  it("has colours only if the screen has", () => {
    const colored = formatTable({ ...SCRIPT, hasColor: true }, COLUMNS, ROWS);
    assert.ok(colored.includes("\u001b[32mfailed\u001b[39m"), JSON.stringify(colored));
    assert.doesNotMatch(formatTable(SCRIPT, COLUMNS, ROWS), /\p{Cc}(?<!\n)/u);
  });

  it("has no rows, and then only headings on a terminal", () => {
    assert.equal(formatTable(SCRIPT, COLUMNS, []), "");
    assert.equal(formatTable(TERMINAL, COLUMNS, []), "NAME  STATE  SEEN  WHY");
  });
});

describe("cutToWidth", () => {
  it("cuts between characters as a terminal shows them", () => {
    assert.equal(cutToWidth("abcdef", 6), "abcdef");
    assert.equal(cutToWidth("abcdef", 5), "abcd…");
    assert.equal(cutToWidth("日本語", 5), "日本…");
    assert.equal(cutToWidth("日本語", 4), "日…");
    assert.equal(cutToWidth("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3), "👩‍👩‍👧‍👦…");
  });
});
