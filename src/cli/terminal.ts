import { stripVTControlCharacters } from "node:util";
import { printable } from "../delivery/printable.ts";

/** What others wrote (commit messages, logs) may not steer the terminal. */
export function terminalSafe(text: string): string {
  return printable(stripVTControlCharacters(text).replace(/[^\P{Cc}\n\t]/gu, ""));
}

/** Columns as wide as their widest cell; the last one as it comes. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  "),
    )
    .join("\n");
}
