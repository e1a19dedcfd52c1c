import { stripVTControlCharacters } from "node:util";
import { printable } from "../delivery/printable.ts";

/** Removes terminal control sequences from text that others wrote, such as commit messages and logs. */
export function terminalSafe(text: string): string {
  return printable(stripVTControlCharacters(text).replace(/[^\P{Cc}\n\t]/gu, ""));
}

/** Formats rows as text columns. Each column but the last is as wide as its widest cell. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  "),
    )
    .join("\n");
}
