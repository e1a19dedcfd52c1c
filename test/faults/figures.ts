/** Prints a figure that a run measured. docs/explanation/performance/figures.md has only such figures. */
export function figure(what: string, value: string): void {
  process.stdout.write(`      ▸ ${what}: ${value}\n`);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
