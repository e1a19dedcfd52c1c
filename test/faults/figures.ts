/** A figure that a run found out, for who runs it to read: docs/explanation/reliability.md states only what was printed so. */
export function figure(what: string, value: string): void {
  process.stdout.write(`      ▸ ${what}: ${value}\n`);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
