import { type ExpressionBuilder, type SqlBool, sql } from "kysely";
import { isShaPrefix } from "../delivery/sha.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { type KeyInterval, rangeIntervals } from "../delivery/version-order.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { commitsIn } from "./short-shas.ts";

/** Words of a search beyond this many are ignored: each costs a comparison with every name. */
const MAX_WORDS = 8;
/** A short sha rarely names more commits than one. */
const MAX_SHAS = 50;
/** More artifacts than these are not listed, since then the newest releases soon contain one. */
const MAX_STREAMS = 50;

/** One artifact of one repo: the releases of it are in one order. */
export interface Stream {
  repoId: RepoId;
  artifact: string;
}

/** What the words of a search mean. Null: they can match nothing. */
export interface TextSearch {
  /** Parts of the names of repos and artifacts. */
  names: string[];
  /** The artifacts with such names; null: there are no names, or more than `MAX_STREAMS` artifacts. */
  streams: Stream[] | null;
  /** The commits that a word begins; null: none of the words is a sha. */
  shas: Sha[] | null;
  /** For each word that is a version or begins one, the versions. */
  versions: KeyInterval[][];
}

/**
 * Finds out what the words of a search mean. A word that a repo or artifact has in its name is such a part; otherwise it
 * is the beginning of a version (`1.2`, `v2.0.0`) or a commit id of 7 digits or more.
 * @returns null if nothing can match
 */
export async function resolveText(ledger: Db, text: string): Promise<TextSearch | null> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MAX_WORDS);
  const named = await findStreams(ledger, words);
  if (named.length > 0) return searchOf(words, named, { shas: null, versions: [] });
  const versions = new Map(words.map((word) => [word, versionsBegunBy(word)]));
  const digits = words.filter((word) => isShaPrefix(word) && versions.get(word) === null);
  const names = words.filter((word) => versions.get(word) === null && !digits.includes(word));
  if (names.length === words.length) return null;
  const streams = await findStreams(ledger, names);
  if (streams.length === 0) return null;
  const shas = digits.length === 0 ? null : await commonShas(ledger, digits);
  if (shas?.length === 0) return null;
  return searchOf(names, streams, { shas, versions: [...versions.values()].filter((one) => one !== null) });
}

function searchOf(names: string[], streams: Stream[], rest: Pick<TextSearch, "shas" | "versions">): TextSearch {
  return { names, streams: names.length === 0 || streams.length > MAX_STREAMS ? null : streams, ...rest };
}

/** A condition on releases: all of these are in the names of its repo and artifact. */
export function hasNames(names: string[]) {
  return (eb: ExpressionBuilder<Schema, "releases">) =>
    eb.exists(
      eb
        .selectFrom("repos")
        .select("repos.id")
        .whereRef("repos.id", "=", "releases.repoId")
        .where((inner) => inner.and(names.map((name) => contains(sql.ref("releases.artifact"), name)))),
    );
}

/** At most `MAX_STREAMS + 1`. */
function findStreams(ledger: Db, names: string[]): Promise<Stream[]> {
  return ledger.db
    .selectFrom("releasedArtifacts")
    .innerJoin("repos", "repos.id", "releasedArtifacts.repoId")
    .select(["releasedArtifacts.repoId", "releasedArtifacts.artifact"])
    .where((eb) => eb.and(names.map((name) => contains(sql.ref("released_artifacts.artifact"), name))))
    .limit(MAX_STREAMS + 1)
    .execute();
}

/** Whether `<host>/<owner>/<name> <artifact>` contains a text in lower case. */
function contains(artifact: ReturnType<typeof sql.ref>, text: string) {
  const full = sql`lower(repos.host || '/' || repos.owner || '/' || repos.name || ' ' || ${artifact})`;
  // `replace` is the one function of both databases that finds a text without a pattern.
  return sql<SqlBool>`replace(${full}, ${text}, '') <> ${full}`;
}

/** Versions with pre-releases: whoever searches for a text means everything that begins so. Null: it begins none. */
function versionsBegunBy(word: string): KeyInterval[] | null {
  return /^v?\d+(\.\d+(\.\d+(-[0-9a-z.-]+)?)?)?$/.test(word) && !/^\d{7,}$/.test(word)
    ? rangeIntervals(word, { includePrerelease: true })
    : null;
}

/** The commits that begin with each of these. */
async function commonShas(ledger: Db, prefixes: string[]): Promise<Sha[]> {
  const [first = "", ...others] = prefixes;
  const found = await commitsIn(ledger, "releases", first, MAX_SHAS);
  return found.map(({ sha }) => sha).filter((sha) => others.every((prefix) => sha.startsWith(prefix)));
}
