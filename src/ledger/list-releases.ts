import type { ExpressionBuilder, Selectable } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { KeyInterval } from "../delivery/version-order.ts";
import type { Db } from "./ledger.ts";
import { type Page, pageOf, readCursor, writeCursor } from "./page.ts";
import { commitsOfRef, pointedTo, reposWithRef } from "./release-refs.ts";
import { type Release, withVersions } from "./release-rows.ts";
import type { Schema } from "./schema/schema.ts";
import { hasNames, type Stream, type TextSearch } from "./search-text.ts";
import { hasVersionIn, releasesInRange } from "./version-ranges.ts";

type Row = Selectable<Schema["releases"]>;

export interface ReleaseFilter {
  repoId?: RepoId | undefined;
  artifact?: string | undefined;
  sha?: Sha | undefined;
  /** Full ref: the ref of the release, or another that is known to have pointed to its commit. */
  ref?: string | undefined;
  /** Released at this time or later, in ms. */
  since?: number | undefined;
  /** Released before this time, in ms. */
  until?: number | undefined;
  /** One of its versions is in one of these intervals. */
  versions?: KeyInterval[] | undefined;
  text?: TextSearch | undefined;
  cursor?: string | null | undefined;
  limit: number;
}

/** A ref of more repos than this is common: the newest releases soon contain it, and the query names no repos. */
const MAX_NAMED_REPOS = 20;
/** If no more releases are in a range of versions, they are looked up; otherwise the newest are held against it. */
const MAX_LOOKED_UP = 500;
/** A page holds at most this many releases against what no index answers, which takes some 20 ms. */
const WINDOW_ROWS = 5_000;

/**
 * Newest first. A page may have fewer than `limit` items, or none, although there are more: only so many releases are
 * held against a condition that no index answers, and `next` continues after them.
 */
export async function listReleases(ledger: Db, filter: ReleaseFilter): Promise<Page<Release>> {
  const page = await findRows(ledger, filter);
  return { items: await withVersions(ledger, page.items), next: page.next };
}

async function findRows(ledger: Db, filter: ReleaseFilter): Promise<Page<Row>> {
  const { ref, text, limit } = filter;
  let rows = newestFirst(ledger, filter);
  const conditions: Condition[] = [];
  if (ref !== undefined) {
    const repos = filter.repoId === undefined ? await reposWithRef(ledger, ref, MAX_NAMED_REPOS + 1) : [filter.repoId];
    if (repos.length === 0) return { items: [], next: null };
    const isRare = repos.length <= MAX_NAMED_REPOS;
    const shas = isRare ? await commitsOfRef(ledger, repos, ref, MAX_LOOKED_UP) : null;
    if (shas?.length === 0) return { items: [], next: null };
    if (shas !== null) rows = rows.where("repoId", "in", repos).where("sha", "in", shas).where(pointedTo(ref));
    else conditions.push(pointedTo(ref));
  }
  if (text?.shas) rows = rows.where("sha", "in", text.shas);
  for (const range of [...(filter.versions ? [filter.versions] : []), ...(text?.versions ?? [])]) {
    const ids = await releasesInRange(ledger, filter, range, MAX_LOOKED_UP);
    if (ids?.length === 0) return { items: [], next: null };
    if (ids === null) conditions.push(hasVersionIn(range));
    else rows = rows.where("id", "in", ids);
  }
  if (text !== undefined && text.names.length > 0) {
    if (text.streams !== null && conditions.length === 0)
      return pageOf(await ofStreams(ledger, rows, text.streams, limit), limit, positionOf, same);
    conditions.push(hasNames(text.names));
  }
  return conditions.length === 0
    ? pageOf(await rows.limit(limit + 1).execute(), limit, positionOf, same)
    : pageInWindow(ledger, rows, conditions, limit);
}

type Condition = (eb: ExpressionBuilder<Schema, "releases">) => ReturnType<typeof eb.exists>;

/** By the release's own columns. */
function newestFirst({ db }: Db, { repoId, artifact, sha, since, until, cursor }: ReleaseFilter) {
  let query = db.selectFrom("releases").selectAll("releases").orderBy("releasedAt", "desc").orderBy("id", "desc");
  if (repoId !== undefined) query = query.where("repoId", "=", repoId);
  if (artifact !== undefined) query = query.where("artifact", "=", artifact);
  if (sha !== undefined) query = query.where("sha", "=", sha);
  if (since !== undefined) query = query.where("releasedAt", ">=", since);
  if (until !== undefined) query = query.where("releasedAt", "<", until);
  const after = readCursor(cursor);
  if (after) query = query.where((eb) => eb(eb.refTuple("releasedAt", "id"), "<", eb.tuple(after.at, after.id)));
  return query;
}

type Rows = ReturnType<typeof newestFirst>;

/** The newest rows of several artifacts. An index has each artifact's in order, so each gives its newest. */
async function ofStreams({ db }: Db, rows: Rows, streams: Stream[], limit: number): Promise<Row[]> {
  const newestOf = ({ repoId, artifact }: Stream) => {
    const own = rows
      .where("repoId", "=", repoId)
      .where("artifact", "=", artifact)
      .limit(limit + 1);
    return db.selectFrom(own.as("own")).selectAll();
  };
  const [first, ...others] = streams.map(newestOf);
  if (first === undefined) return [];
  const all = others.reduce((union, each) => union.unionAll(each), first);
  return all
    .orderBy("releasedAt", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1)
    .execute();
}

/** Most conditions hold for many releases, so a few of the newest are tried first. */
async function pageInWindow(ledger: Db, rows: Rows, conditions: Condition[], limit: number): Promise<Page<Row>> {
  const first = await rowsInWindow(ledger, rows, conditions, limit, 4 * limit);
  if (first.length > limit) return pageOf(first, limit, positionOf, same);
  const page = pageOf(await rowsInWindow(ledger, rows, conditions, limit, WINDOW_ROWS), limit, positionOf, same);
  if (page.next !== null) return page;
  const last = await rows
    .offset(WINDOW_ROWS - 1)
    .limit(1)
    .executeTakeFirst();
  return { items: page.items, next: last === undefined ? null : writeCursor(positionOf(last)) };
}

/** Of the first `size` rows, those that fulfil the conditions; at most `limit + 1`. */
function rowsInWindow({ db }: Db, rows: Rows, conditions: Condition[], limit: number, size: number): Promise<Row[]> {
  let query = db
    .selectFrom(rows.limit(size).as("releases"))
    .selectAll()
    .orderBy("releasedAt", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1);
  for (const condition of conditions) query = query.where(condition);
  return query.execute();
}

function positionOf({ releasedAt, id }: Row) {
  return { at: releasedAt, id };
}

function same(row: Row): Row {
  return row;
}
