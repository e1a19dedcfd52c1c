import { paint, type Screen, type Style, terminalSafe } from "../terminal.ts";
import type { Finding } from "./check.ts";

/** As wide as the longest word. */
const WORD_WIDTH = 6;

const STYLES: Record<Finding["state"], Style> = { ok: "green", warn: "yellow", fail: "red", skipped: "gray" };

/** The line of a finding, below the heading of its group if it is the first of it. Null: skippedText tells it. */
export function findingText(screen: Screen, finding: Finding, groupBefore: string | null): string | null {
  const { group, part, state, text, remedy } = finding;
  const space = groupBefore === null ? "" : "\n";
  const heading = group === groupBefore ? "" : `${space}${paint(screen, "bold", group)}\n`;
  if (state === "skipped") return heading === "" ? null : heading.trimEnd();
  const told = remedy === null ? text : `${text.replace(/\.$/, "")}. ${remedy}`;
  return `${heading}${paint(screen, STYLES[state], state.padEnd(WORD_WIDTH))}${terminalSafe(`${part}: ${told}`)}`;
}

/** The parts that could not be judged, by the part that is the cause. Null: all could. */
export function skippedText(findings: readonly Finding[]): string | null {
  const causes = new Map<string, string[]>();
  for (const { part, because } of findings) {
    if (because !== null) causes.set(because, [...(causes.get(because) ?? []), part]);
  }
  const lines = [...causes].map(([cause, parts]) => `Not checked, because ${cause} failed: ${parts.join(", ")}.`);
  return lines.length === 0 ? null : terminalSafe(["", ...lines].join("\n"));
}
