import type { Digest } from "../../../src/delivery/types.ts";
import type { HostServer } from "../world/host.ts";
import type { Database, Statement } from "../world/ledger.ts";
import type { NameWrite } from "../world/registry.ts";
import type { Seen } from "./story.ts";

/** A version or a sha. */
export const IMMUTABLE = /^(?:sha-|\d+\.\d+\.\d+)/;

type Problem = (text: string) => void;

/** Holds at every write of a name: one digest under each immutable name, and no name before its digest is pinned. */
export function watchNames(database: Database, problem: Problem): (write: NameWrite) => void {
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

interface Parts {
  database: Database;
  host: HostServer;
  seen: Seen;
  now(): number;
  problem: Problem;
}

/**
 * Holds at every change of the ledger: the point of no return is passed only after the host has said that the commit is
 * green, since its bytes were frozen; and a hint about CI is done only if the host was asked since it came.
 */
export function watchLedger({ database, host, seen, now, problem }: Parts): (statement: Statement) => void {
  const frozenAt = new Map<string, number>();
  const checkEvidence = async (delivery: string): Promise<void> => {
    const [row] = await database.ask<{ sha: string }>("select sha from deliveries where id = ?", [delivery]);
    const greenAt = host.answeredGreen.get(row?.sha ?? "") ?? 0;
    if (greenAt < (frozenAt.get(delivery) ?? 1))
      problem(`${seen.ids.get(row?.sha ?? "")} gets names, and the host was not asked since its bytes were frozen`);
  };
  const checkHints = async (): Promise<void> => {
    const done = await database.ask<{ sha: string; received_at: number; because: string }>(
      // What its CI says changes nothing of a delivery that has failed or was given up.
      `select h.sha, h.received_at, h.because from hints h join deliveries d on d.repo_id = h.repo_id and d.sha = h.sha
      where h.done_at = ? and h.event like 'check_run%' and d.state in ('waiting', 'queued', 'delivered')`,
      [now()],
    );
    for (const { sha, received_at, because } of done) {
      const isAnswered = (host.askedCi.get(sha) ?? 0) >= Number(received_at);
      if (!isAnswered && !seen.removed.has(seen.repoOf.get(sha) ?? 0))
        problem(`a hint about ${seen.ids.get(sha)} is done (${because}), and nobody asked the host since it came`);
    }
  };
  return ({ sql, parameters }) => {
    if (sql.startsWith('update "deliveries" set "naming" = ?')) void checkEvidence(String(parameters[1]));
    else if (sql.startsWith('update "artifacts" set') && parameters.includes("frozen"))
      frozenAt.set(String(parameters.at(-3)), now());
    else if (sql.startsWith('update "hints" set "done_at"')) void checkHints();
  };
}
