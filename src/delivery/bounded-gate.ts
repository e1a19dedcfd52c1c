import { Refused } from "./errors.ts";
import type { Gate, RepoBounds } from "./types.ts";

/**
 * Adds the server's checks to the pipeline's, also if the pipeline asks for no CI.
 * @throws Refused `check-apps-not-allowed`
 */
export function boundedGate(gate: Gate, bounds: RepoBounds): Gate {
  if (bounds.ci === null) return gate;
  const required = [...new Set([...bounds.ci.required, ...gate.required])];
  return { ...gate, ci: "required", required, apps: boundedApps(gate.apps, bounds) };
}

function boundedApps(own: string[] | null, { ci, match }: RepoBounds): string[] | null {
  const allowed = ci?.apps ?? null;
  if (own === null || allowed === null) return own ?? allowed;
  const both = own.filter((app) => allowed.includes(app));
  if (both.length > 0) return both;
  throw new Refused(
    "check-apps-not-allowed",
    `ci.apps in the pipeline trusts only ${own.join(", ")}, but for ${match} the server trusts only ` +
      `${allowed.join(", ") || "none"}. Use one of these, or ask the administrator.`,
  );
}
