import type { KeepCi } from "../api/options.ts";
import { readRepoName } from "../delivery/repo-name.ts";
import type { NewHint } from "../ledger/hints.ts";
import { savePushedChecks, TooManyChecks } from "../ledger/pushed-checks.ts";
import { findRepo, type SeenRepo } from "../ledger/repos.ts";
import { Problem } from "../receiver/problem.ts";
import type { Parts } from "./parts.ts";
import type { Accepts } from "./request-commit.ts";

/**
 * Saves results of CI for a repo, and a hint for their commit.
 * @returns the full name of the repo, and the hint to queue
 * @throws Problem 404 if there is no such repo, 409 if several hosts have one, 422 if `repos` does not allow it, 413 or
 *   429 if there are too many results
 */
export async function keepCi(
  parts: Parts,
  accepts: Accepts,
  { repo: text, hosts, sha, checks, deliveryId }: Parameters<KeepCi>[0],
): Promise<{ name: string; hint: NewHint }> {
  const repo = await requireRepo(parts, accepts, text, hosts);
  try {
    const hint = await savePushedChecks(parts.ledger, { repo, sha, checks, deliveryId });
    return { name: `${repo.host}/${repo.owner}/${repo.name}`, hint };
  } catch (error) {
    if (!(error instanceof TooManyChecks)) throw error;
    if (error.of === "commit") throw new Problem(413, `There are ${error.message}.`);
    throw new Problem(429, `There are ${error.message}: deliverd keeps no more until old ones are deleted.`);
  }
}

/** Asks the host only for what `repos` allows and the ledger does not know. */
async function requireRepo(parts: Parts, accepts: Accepts, text: string, hosts: string[]): Promise<SeenRepo> {
  const readings = readRepoName(text, hosts).flatMap(({ host, owner, name }) =>
    (host === null ? hosts : [host]).map((key) => ({ host: key, owner, name })),
  );
  if (readings.length === 0) throw new Problem(400, "repo is not <owner>/<name>.");
  const allowed = readings.filter(({ host, owner, name }) => accepts(host, owner, name));
  if (allowed.length === 0) throw new Problem(422, `${text} is in no entry of repos in the server's configuration.`);
  const found: SeenRepo[] = [];
  for (const reading of allowed) {
    const repo = await findAt(parts, reading);
    if (repo !== null && !found.some(({ id }) => id === repo.id)) found.push(repo);
  }
  const [repo, other] = found;
  if (repo === undefined) throw new Problem(404, `No configured host shows a repo ${text}.`);
  if (other !== undefined) throw new Problem(409, `Several hosts have a repo ${text}: write <host>/<owner>/<name>.`);
  return repo;
}

async function findAt(
  { ledger, hosts }: Parts,
  { host: key, owner, name }: { host: string; owner: string; name: string },
): Promise<SeenRepo | null> {
  // Such a host may tell upper from lower case: only the very name is known.
  const known = (await findRepo(ledger, `${key}/${owner}/${name}`)).find(
    (repo) => repo.host === key && repo.owner === owner && repo.name === name,
  );
  if (known !== undefined) return { id: known.id, host: key, owner, name, defaultBranch: known.defaultBranch };
  const found = await hosts.get(key)?.findRepo(owner, name);
  if (!found) return null;
  const { hostId, defaultBranch } = found;
  return { id: `${key}:${hostId}`, host: key, owner: found.owner, name: found.name, defaultBranch };
}
