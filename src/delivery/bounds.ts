import { globMatches, matchesAny } from "./glob.ts";
import type { Plan, Repo, RepoBounds } from "./types.ts";

/**
 * The entry under `repos` that bounds a repo, or null where none lets it in. The most specific counts: no wildcard beats
 * one, one beats two, and then the longer. Compared without case, as hosts compare names.
 */
export function matchRepo(entries: RepoBounds[], repo: Pick<Repo, "host" | "owner" | "name">): RepoBounds | null {
  const short = `${repo.owner}/${repo.name}`.toLowerCase();
  const full = `${repo.host}/${short}`.toLowerCase();
  const fitting = entries.filter(({ match }) => {
    const glob = match.toLowerCase();
    return globMatches(glob, short) || globMatches(glob, full);
  });
  const wildcards = ({ match }: RepoBounds) => match.split("*").length - 1;
  return fitting.toSorted((a, b) => wildcards(a) - wildcards(b) || b.match.length - a.match.length)[0] ?? null;
}

/** Whether a ref's commits are delivered, and a line that says why. */
export interface Watching {
  watched: boolean;
  because: string;
}

/** Asks both the pipeline's `on` and the server's bounds. `ref` is full: `refs/heads/main`, `refs/tags/v1.2.3`. */
export function watches(on: Plan["on"], bounds: RepoBounds, ref: string): Watching {
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/s.exec(ref) ?? [];
  if (kind === undefined || name === undefined) return { watched: false, because: `${ref} is no branch and no tag` };
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
