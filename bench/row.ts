/** One line of the table, and one JSON object of `--json`. */
export interface Row {
  row: string;
  /** What the peer is. */
  beside: string;
  /** Median. */
  ours: number;
  /** Median; null where there is nothing to compare with. */
  peer: number | null;
  unit: string;
  /** `ours / peer`, of the medians. */
  ratio: number | null;
  /** Least and most over the rounds; of the ratio, over what was measured next to each other. */
  spread: { ours: Range; peer: Range | null; ratio: Range | null };
  /** As in `ratio ≤ 0.55`; null: none is set. */
  goal: string | null;
  met: boolean | null;
}
type Range = [least: number, most: number];

export interface Goal {
  of: "ratio" | "ours";
  is: "≤" | "≥";
  bound: number;
}

export function toRow(
  named: { row: string; beside: string; unit: string; goal?: Goal },
  ours: number[],
  peers: number[],
): Row {
  const { goal, ...names } = named;
  const mine = median(ours);
  const theirs = peers.length === 0 ? null : median(peers);
  const ratio = theirs === null || theirs === 0 ? null : mine / theirs;
  // Where a peer used nothing that the kernel's clock could see, there is no ratio.
  const ratios = ours.map((value, index) => value / (peers[index] ?? Number.NaN)).filter(Number.isFinite);
  const judged = goal?.of === "ours" ? mine : ratio;
  return {
    ...names,
    ours: rounded(mine),
    peer: theirs === null ? null : rounded(theirs),
    ratio: ratio === null ? null : rounded(ratio),
    spread: {
      ours: range(ours),
      peer: peers.length === 0 ? null : range(peers),
      ratio: ratios.length === 0 ? null : range(ratios),
    },
    goal: goal === undefined ? null : `${goal.of} ${goal.is} ${goal.bound}`,
    met: goal === undefined || judged === null ? null : goal.is === "≤" ? judged <= goal.bound : judged >= goal.bound,
  };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = Number.NaN, high = low] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ];
  return (low + high) / 2;
}

function range(values: number[]): Range {
  return [rounded(Math.min(...values)), rounded(Math.max(...values))];
}

/** Three digits that count: more would pretend. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

export function table(rows: Row[]): string {
  const head = ["row", "beside", "ours", "peer", "unit", "ratio", "goal", "met"];
  const lines = rows.map((row) => [
    row.row,
    row.beside,
    `${row.ours} (${row.spread.ours.join("–")})`,
    row.peer === null ? "" : `${row.peer} (${row.spread.peer?.join("–")})`,
    row.unit,
    row.ratio === null ? "" : `${row.ratio} (${row.spread.ratio?.join("–")})`,
    row.goal ?? "",
    row.met === null ? "" : row.met ? "yes" : "no",
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)));
  const format = (line: string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return [head, widths.map((width) => "-".repeat(width)), ...lines].map(format).join("");
}
