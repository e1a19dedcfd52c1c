import { quoted } from "../delivery/printable.ts";
import type { RepoId } from "../delivery/types.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { findRepo, type KnownRepo } from "../ledger/repos.ts";
import { Problem } from "../receiver/problem.ts";

/** The repo of this name; null if none is known. @throws Problem 409 if several hosts have one */
export async function findOneRepo(ledger: Ledger, name: string): Promise<KnownRepo | null> {
  const [repo, ...others] = await findRepo(ledger, name);
  if (repo === undefined || others.length === 0) return repo ?? null;
  const names = [repo, ...others].map((each) => `${each.host}/${each.owner}/${each.name}`).join(", ");
  throw new Problem(409, `Several hosts have a repo ${quoted(name)}: write ${names.replace(/, (?=[^,]*$)/, " or ")}.`);
}

/**
 * The filter for a query in the ledger.
 * @param name as a person writes it; undefined: any repo
 * @returns null: no repo has this name, so no row can match
 * @throws Problem 409 if several hosts have a repo of this name
 */
export async function repoFilter(
  ledger: Ledger,
  name: string | undefined,
): Promise<{ repoId: RepoId | undefined } | null> {
  if (name === undefined) return { repoId: undefined };
  const repo = await findOneRepo(ledger, name);
  return repo === null ? null : { repoId: repo.id };
}
