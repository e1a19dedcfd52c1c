import type { ServerConfig } from "../../config/server.ts";
import { matchRepo } from "../../delivery/bounds.ts";
import { pathOfPattern, questionOfPattern } from "../../delivery/repo-name.ts";
import type { Host, HostRepo } from "../../hosts/host.ts";

/** Each is a call at the host, of which there are only so many an hour. */
const ENTRIES_ASKED = 20;

/** What `repos` lets in, as a host shows it. */
export interface ShownRepos {
  repos: HostRepo[];
  /** The ids of those that an entry names, and not only a pattern. */
  named: Set<string>;
  /** Entries for which the host shows something, and those for which it should, but does not. */
  seen: string[];
  hidden: string[];
  /** Entries that were not asked for. */
  leftOut: string[];
}

/** Asks the host for what `repos` lets in: it answers only to a token that it takes, and shows what that token may see. */
export async function listShownRepos({ repos, hosts }: ServerConfig, key: string, host: Host): Promise<ShownRepos> {
  const entries = repos.flatMap((entry) => {
    const question = questionOfPattern(entry, key);
    const isListed = question.kind === "repo" || (question.kind === "owner" && host.listsRepos !== false);
    if (!isListed) return [];
    // With another host beside it, an entry that names none may mean that one.
    return [
      { question, expected: entry.host !== undefined || Object.keys(hosts).length === 1, shown: pathOfPattern(entry) },
    ];
  });
  const found: ShownRepos = { repos: [], named: new Set(), seen: [], hidden: [], leftOut: [] };
  for (const { question, expected, shown } of entries.slice(0, ENTRIES_ASKED)) {
    const listed =
      question.kind === "owner"
        ? await host.listRepos(question.owner)
        : [await host.findRepo(question.owner, question.name)].flatMap((one) => one ?? []);
    const allowed = listed.filter((repo) => matchRepo(repos, { host: key, ...repo }) !== null);
    for (const repo of allowed) if (!found.repos.some(({ hostId }) => hostId === repo.hostId)) found.repos.push(repo);
    if (question.kind === "repo") for (const { hostId } of listed) found.named.add(hostId);
    if (listed.length > 0) found.seen.push(shown);
    else if (expected) found.hidden.push(shown);
  }
  found.leftOut = entries.slice(ENTRIES_ASKED).map(({ shown }) => shown);
  // Whatever it answers: a token that it does not take is refused first.
  if (entries.length === 0) await host.findRepo("deliverd", "deliverd");
  return found;
}
