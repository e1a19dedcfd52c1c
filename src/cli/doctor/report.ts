import type { Finding } from "./check.ts";

/** As wide as the longest word. */
const WORD_WIDTH = 6;

/** The line of a finding, below the heading of its group if it is the first of it. Empty: skippedText tells it. */
export function findingText({ group, part, state, text, remedy }: Finding, groupBefore: string | null): string {
  const heading = group === groupBefore ? "" : `${groupBefore === null ? "" : "\n"}${group}\n`;
  if (state === "skipped") return heading.trimEnd();
  const advice = remedy === null ? "" : `. ${remedy}`;
  return `${heading}${state.padEnd(WORD_WIDTH)}${part}: ${advice === "" ? text : text.replace(/\.$/, "")}${advice}`;
}

/** The parts that could not be judged, by the part that is the cause. */
export function skippedText(findings: readonly Finding[]): string {
  const causes = new Map<string, string[]>();
  for (const { part, because } of findings) {
    if (because !== null) causes.set(because, [...(causes.get(because) ?? []), part]);
  }
  const lines = [...causes].map(([cause, parts]) => `Not checked, because ${cause} failed: ${parts.join(", ")}.`);
  return lines.length === 0 ? "" : ["", ...lines].join("\n");
}
