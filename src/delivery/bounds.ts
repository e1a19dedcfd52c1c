import { matchesAny } from "./glob.ts";
import { repoMatches } from "./repo-name.ts";
import type { Plan, Repo, RepoBounds } from "./types.ts";

/**
 * The entry under `repos` that applies to a repo. Null: no entry matches. The most specific one wins: fewer wildcards
 * first, then the longer text. Upper and lower case are equal, as on the hosts.
 */
export function matchRepo(entries: RepoBounds[], repo: Pick<Repo, "host" | "owner" | "name">): RepoBounds | null {
  const fitting = entries.filter((entry) => repoMatches(entry, repo));
  const wildcards = ({ match }: RepoBounds) => match.split("*").length - 1;
  return fitting.toSorted((a, b) => wildcards(a) - wildcards(b) || b.match.length - a.match.length)[0] ?? null;
}

/** Whether the commits of a ref are delivered, and why. */
export interface Watching {
  watched: boolean;
  because: string;
}

/** Checks a full ref (`refs/heads/main`, `refs/tags/v1.2.3`) against the pipeline's `on` and the server's limits. */
export function watches(on: Plan["on"], bounds: RepoBounds, ref: string): Watching {
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/s.exec(ref) ?? [];
  if (kind === undefined || name === undefined)
    return { watched: false, because: `${ref} is neither a branch nor a tag` };
  const [noun, wanted, allowed] =
    kind === "heads" ? ["branch", on.branches, bounds.branches] : ["tag", on.tags, bounds.tags];
  if (!matchesAny(wanted, name))
    return { watched: false, because: `the pipeline watches ${said(noun, wanted)}, not ${name}` };
  if (allowed !== null && !matchesAny(allowed, name)) {
    return {
      watched: false,
      because: `${noun} ${name} is outside what the server allows ${bounds.match}: ${said(noun, allowed)}`,
    };
  }
  return { watched: true, because: `${noun} ${name} is watched` };
}

function said(noun: string, globs: string[]): string {
  return globs.length === 0 ? `no ${noun}` : `${noun} ${globs.join(", ")}`;
}
