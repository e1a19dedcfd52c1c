import stringWidth from "string-width";
import { lineSafe, paint, type Screen, type Style } from "./terminal.ts";

/** A column of a table. Its texts may come from anyone: they are made safe, and stay on one line. */
export interface Column<Row> {
  heading: string;
  text(row: Row): string;
  /** The text on a terminal, if it differs; for example `3 min ago` for a time. */
  terminalText?(row: Row): string;
  style?(row: Row): Style | null;
  /** Only people see the column: scripts rely on the columns that there are. */
  isForTerminal?: boolean;
  /** The column may be cut if the terminal is too narrow. */
  canShrink?: boolean;
}

const GAP = "  ";
/** A column is not cut below this width. */
const MIN_WIDTH = 8;
const ELLIPSIS = "…";

/**
 * Formats rows as lines of columns, each as wide as its widest cell. On a terminal, the table has headings and is not
 * wider than the screen. Elsewhere it has neither: one line per row, with the same columns in every version.
 */
export function formatTable<Row>(screen: Screen, columns: Column<Row>[], rows: Row[]): string {
  const forAll = columns.filter((column) => column.isForTerminal !== true);
  const whole = layOut(screen, screen.isTerminal ? columns : forAll, rows);
  const table = whole.width > screen.width ? layOut(screen, forAll, rows) : whole;
  const lineOf = (texts: string[], styleOf: (column: Column<Row>) => Style | null) =>
    table.columns.map((column, at) => {
      const width = table.widths[at] ?? 0;
      const cut = cutToWidth(texts[at] ?? "", width);
      const padding = at === table.columns.length - 1 ? "" : " ".repeat(width - stringWidth(cut));
      return paint(screen, styleOf(column), cut) + padding;
    });
  const lines = [
    ...table.headings.map((texts) => lineOf(texts, () => "bold")),
    ...table.cells.map(({ row, texts }) => lineOf(texts, (column) => column.style?.(row) ?? null)),
  ];
  return lines.map((line) => line.join(GAP)).join("\n");
}

interface Layout<Row> {
  columns: Column<Row>[];
  headings: string[][];
  cells: { row: Row; texts: string[] }[];
  widths: number[];
  /** Of the whole table. */
  width: number;
}

function layOut<Row>(screen: Screen, columns: Column<Row>[], rows: Row[]): Layout<Row> {
  const headings = screen.isTerminal ? [columns.map((column) => column.heading)] : [];
  const cells = rows.map((row) => ({ row, texts: columns.map((column) => lineSafe(cellText(screen, column, row))) }));
  const lines = [...headings, ...cells.map(({ texts }) => texts)];
  const wanted = columns.map((column, at) => ({
    canShrink: column.canShrink === true,
    width: Math.max(0, ...lines.map((texts) => stringWidth(texts[at] ?? ""))),
  }));
  const widths = fitWidths(screen.width, wanted);
  return { columns, headings, cells, widths, width: totalWidth(widths) };
}

function cellText<Row>(screen: Screen, column: Column<Row>, row: Row): string {
  return screen.isTerminal && column.terminalText !== undefined ? column.terminalText(row) : column.text(row);
}

/** Takes what is too much from the widest columns that may shrink. @returns the widths */
function fitWidths(screenWidth: number, columns: { width: number; canShrink: boolean }[]): number[] {
  const widths = columns.map(({ width }) => width);
  while (totalWidth(widths) > screenWidth) {
    let widest = -1;
    for (const [at, { canShrink }] of columns.entries())
      if (canShrink && (widest < 0 || (widths[at] ?? 0) > (widths[widest] ?? 0))) widest = at;
    const width = widths[widest] ?? 0;
    if (width <= MIN_WIDTH) break;
    widths[widest] = width - 1;
  }
  return widths;
}

function totalWidth(widths: number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Cuts text to this many columns of a terminal, and never through a character. */
export function cutToWidth(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = "";
  let left = width - stringWidth(ELLIPSIS);
  for (const { segment } of graphemes.segment(text)) {
    left -= stringWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return cut + ELLIPSIS;
}
