import { TAGS } from "../../../src/delivery/refs.ts";
import type { World } from "../world/process.ts";
import { type Expected, expectedOf } from "./expected.ts";
import type { Scenario } from "./scenario.ts";
import type { Seen } from "./story.ts";

/** @returns what is still owed, for people; empty: nothing */
export async function isQuiet({ database, host, history }: World, scenario: Scenario, seen: Seen): Promise<string> {
  const rows = await database.ask<{ what: string; n: number }>(
    `select 'hints not done' as what, count(*) as n from hints where done_at is null
    union all select 'messages not sent', count(*) from outbox where state = 'unsent'
    union all select 'deliveries under way', count(*) from deliveries where state in ('queued', 'building', 'publishing')`,
  );
  const owed = rows.flatMap(({ what, n }) => (Number(n) > 0 ? [`${n} ${what}`] : []));
  const expected = expectedOf({ host, history }, scenario, seen);
  const states = await statesOf(database);
  for (const each of expected) {
    const state = states.get(each.sha);
    if (!isEnded(each, state)) owed.push(`${seen.ids.get(each.sha)} is ${state ?? "unknown"}`);
  }
  return [...owed, ...(await missingVersions(database, host, seen))].join(", ");
}

/** Versions that git tags give to delivered commits, and that no release has. */
async function missingVersions(database: World["database"], host: World["host"], seen: Seen): Promise<string[]> {
  const rows = await database.ask<{ sha: string; version: string | null }>(
    `select d.sha, v.version from deliveries d join releases r on r.delivery_id = d.id
    left join release_versions v on v.release_id = r.id where d.state = 'delivered'`,
  );
  return host.repos.flatMap(({ refs }, index) =>
    [...refs].flatMap(([ref, sha]) => {
      const version = ref.startsWith(`${TAGS}v`) ? ref.slice(TAGS.length + 1) : null;
      const own = rows.filter((row) => row.sha === sha && seen.repoOf.get(sha) === index);
      if (version === null || own.length === 0 || seen.moved.has(sha)) return [];
      // What was released before its CI turned red gets no more names.
      if (host.checks.get(sha)?.[0]?.state !== "passed") return [];
      return own.some((row) => row.version === version) ? [] : [`${seen.ids.get(sha)} lacks ${version}`];
    }),
  );
}

async function statesOf(database: World["database"]): Promise<Map<string, string>> {
  const rows = await database.ask<{ sha: string; state: string }>("select sha, state from deliveries");
  return new Map(rows.map(({ sha, state }) => [sha, state]));
}

/** Whether nothing more is to be expected of the commit. */
function isEnded({ ends }: Expected, state: string | undefined): boolean {
  return state !== undefined && ends.includes(state);
}
