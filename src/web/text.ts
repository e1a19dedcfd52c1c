export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Bytes in the unit in which people read them: `12 B`, `3.4 MB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return `${at === 0 ? count : (count / 1000 ** at).toPrecision(3)} ${units[at]}`;
}
