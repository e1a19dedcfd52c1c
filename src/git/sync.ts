import { rm } from "node:fs/promises";
import type { Sha } from "../delivery/types.ts";
import type { CloneSource } from "../hosts/host.ts";
import { observeCall } from "../observe/observe-call.ts";
import { checkAuthorization, checkUrl, isRef } from "./arguments.ts";
import { ensureBareRepository, removeGitLeftovers } from "./bare-repository.ts";
import { type GitCall, GitFailed, gitText, gitTimeout, runGit } from "./git.ts";
import { hostFailure } from "./host-failure.ts";
import { linesOf } from "./lines.ts";
import { type LocalRefs, readRefs } from "./local-refs.ts";
import type { RemoteRefs } from "./ls-refs.ts";
import type { QuickRefs } from "./quick-refs.ts";

/** The result of a sync. */
export interface Refs extends LocalRefs {
  /** Short name of the branch of the host's HEAD. Null: the host does not say, as for an empty repo. */
  defaultBranch: string | null;
  /** Whether anything was fetched. */
  moved: boolean;
}

/** How to run a git that talks to a host. */
export interface RemoteCall extends Omit<GitCall, "gitDir"> {
  quickRefs: QuickRefs;
}

/** Only branches and tags: a host also lists pull requests, with commits of forks. */
const REFSPECS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/** What git prints if an object in the mirror is broken, as after a power cut. */
const CORRUPT =
  /object file .* is empty|missing object|loose object .* is corrupt|bad object|unable to read (?:tree|sha1 file)|invalid (?:sha1|object) pointer|bad pack header|inflate: /;

/** Branches and tags by full ref as the host lists them now, with annotated tags as tag objects. It needs no mirror. */
export async function listRemoteRefs(source: CloneSource, call: RemoteCall): Promise<RemoteRefs> {
  checkUrl(source.url);
  return explainingFailures(source, () => listRemote(source, call));
}

/**
 * Brings the bare repository at `path` up to date with its source. A broken one is made again. One caller at a time.
 * @param known the result of the last sync. Null: not known
 * @param hasNews whether the source certainly has more: then its refs are not asked for first
 */
export async function syncRepository(
  path: string,
  source: CloneSource,
  call: RemoteCall,
  known: Refs | null = null,
  hasNews = false,
): Promise<Refs> {
  checkUrl(source.url);
  try {
    return known !== null && hasNews
      ? await fetchNews(path, source, call, known)
      : await bringUp(path, source, call, known);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    await rm(path, { recursive: true, force: true });
    await ensureBareRepository(path, "sha1", call);
    return bringUp(path, source, call, null);
  }
}

async function bringUp(path: string, source: CloneSource, call: RemoteCall, known: Refs | null): Promise<Refs> {
  const local: GitCall = { ...call, gitDir: path };
  const there = await explainingFailures(source, () => listRemote(source, call));
  if ([...there.raw.values()].some((sha) => sha.length === 64)) await makeSha256(path, local);

  const { defaultBranch } = there;
  // Comparing with the host's list saves most fetches.
  const before = known ?? { ...(await readRefs(local)), defaultBranch, moved: false };
  if (same(there.raw, before.objects)) return { ...before, defaultBranch, moved: false };
  return fetchNews(path, source, call, { ...before, defaultBranch });
}

/** Fetches. The default branch stays as it was: git gives it only with a list of refs. */
async function fetchNews(
  path: string,
  source: CloneSource,
  call: Omit<GitCall, "gitDir">,
  { defaultBranch }: Refs,
): Promise<Refs> {
  const remote: GitCall = { ...call, gitDir: path, config: credentials(source) };
  try {
    await explainingFailures(source, () => fetchAll(source.url, remote));
  } catch (error) {
    await removeGitLeftovers(path);
    throw error;
  }
  return { ...(await readRefs({ ...call, gitDir: path })), defaultBranch, moved: true };
}

/** Turns the failure of a call to the host into an error of the host. */
async function explainingFailures<T>(source: CloneSource, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw isCorrupt(error) ? error : hostFailure(error, source);
  }
}

function isCorrupt(error: unknown): boolean {
  return error instanceof GitFailed && CORRUPT.test(error.stderr.replace(/^remote:.*$/gm, ""));
}

/** The setting holds for this URL only: git sends the header nowhere else. */
function credentials({ url, authorization }: CloneSource): [string, string][] {
  return authorization === null
    ? []
    : [[`http.${url}.extraHeader`, `Authorization: ${checkAuthorization(authorization)}`]];
}

/** Lists the refs, by our own request or by git, both within one time limit. */
async function listRemote(source: CloneSource, { quickRefs, ...call }: RemoteCall): Promise<RemoteRefs> {
  const config = credentials(source);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(gitTimeout("ls-remote", call)), call.timeLimit);
  const signals = [...call.signals, limit.signal];
  try {
    return (await quickRefs.ask(source, signals)) ?? (await lsRemote(source.url, { ...call, signals, config }));
  } finally {
    clearTimeout(timer);
  }
}

async function lsRemote(url: string, call: GitCall): Promise<RemoteRefs> {
  const answer: RemoteRefs = { raw: new Map(), defaultBranch: null };
  const patterns = ["HEAD", "refs/heads/*", "refs/tags/*"];
  const listing = ["ls-remote", "--quiet", "--symref", "--end-of-options", url, ...patterns];
  const text = await observeGit("git ls-remote", url, call, () => gitText(listing, call));
  for (const line of linesOf(text)) {
    const [value = "", ref = ""] = line.split("\t");
    if (isRef(ref)) answer.raw.set(ref, value);
    else if (ref === "HEAD" && value.startsWith("ref: refs/heads/"))
      answer.defaultBranch = value.slice("ref: refs/heads/".length);
  }
  return answer;
}

async function fetchAll(url: string, call: GitCall): Promise<void> {
  const quick = [
    "--quiet",
    "--no-auto-maintenance",
    "--no-write-fetch-head",
    "--no-show-forced-updates",
    "--no-recurse-submodules",
  ];
  const fetching = ["fetch", ...quick, "--force", "--prune", "--no-tags", "--end-of-options", url, ...REFSPECS];
  await observeGit("git fetch", url, call, () => runGit(fetching, call));
}

/** git gives no status: an error says only that the host did not give what was asked. */
function observeGit<T>(method: string, url: string, { signals }: GitCall, run: () => Promise<T>): Promise<T> {
  const origin = URL.canParse(url) ? new URL(url).origin : null;
  const isAborted = () => signals.some((signal) => signal.aborted);
  return observeCall({ method, origin, isAborted }, run, () => ({ status: null, headers: {} }));
}

async function makeSha256(path: string, call: GitCall): Promise<void> {
  if ((await gitText(["rev-parse", "--show-object-format"], call)).trim() === "sha256") return;
  await rm(path, { recursive: true, force: true });
  await ensureBareRepository(path, "sha256", { signals: call.signals, timeLimit: call.timeLimit });
}

function same(one: Map<string, Sha>, other: Map<string, Sha>): boolean {
  return one.size === other.size && [...one].every(([ref, sha]) => other.get(ref) === sha);
}
