import type { Digest } from "../../../src/delivery/types.ts";
import type { Database } from "../world/ledger.ts";
import type { NameWrite } from "../world/registry.ts";

/** A version or a sha. */
const IMMUTABLE = /^(?:sha-|\d+\.\d+\.\d+)/;

/** Holds at every write of a name: one digest under each immutable name, and no name before its digest is pinned. */
export function watchNames(database: Database, problem: (text: string) => void): (write: NameWrite) => void {
  const first = new Map<string, Digest>();
  return ({ registry, repository, tag, digest, writer }) => {
    const name = `${repository}:${tag} in ${registry}`;
    const before = first.get(name) ?? digest;
    if (IMMUTABLE.test(tag)) {
      first.set(name, before);
      if (before !== digest) problem(`two digests under ${name}: ${before}, then ${digest} by ${writer.name}`);
    }
    // SQLite answers at once, before anything else happens.
    void isPinned(database, digest).then((pinned) => {
      if (!pinned) problem(`${writer.name} wrote ${name}, and ${digest} is not pinned`);
    });
  };
}

async function isPinned(database: Database, digest: Digest): Promise<boolean> {
  const rows = await database.ask(
    `select 1 from artifacts where digest = ? and pinned_fence is not null
    union select 1 from releases where digest = ?`,
    [digest, digest],
  );
  return rows.length > 0;
}
