import { rm } from "node:fs/promises";
import type { Sha } from "../delivery/types.ts";
import type { CloneSource } from "../hosts/host.ts";
import { type Format, makeBare, removeLeftovers } from "./bare.ts";
import { hostFailure } from "./failure.ts";
import { type GitCall, GitFailed, git, gitText } from "./git.ts";
import { linesOf } from "./lines.ts";
import { checkUrl, isRef } from "./names.ts";
import { readRawRefs, readRefs } from "./refs.ts";

/** What a sync came to. */
export interface Refs {
  /** Branches and tags by full ref, annotated tags as the commit they lead to. */
  shas: Map<string, Sha>;
  /** Short name of the branch that the host's HEAD names; null where the host does not say (an empty repo). */
  defaultBranch: string | null;
}

interface RemoteRefs {
  raw: Map<string, Sha>;
  defaultBranch: string | null;
}

/** Only these: a host also lists pull requests, and with them the commits of forks. */
const REFSPECS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/** What git says where an object in the mirror itself is broken, as after a power cut. */
const CORRUPT =
  /object file .* is empty|loose object .* is corrupt|bad object|unable to read (?:tree|sha1 file)|invalid (?:sha1|object) pointer|bad pack header|inflate: /;

/** Brings the bare repository at `path` to what the source has. For one caller at a time. */
export async function fetchInto(path: string, source: CloneSource, call: Omit<GitCall, "gitDir">): Promise<Refs> {
  const url = checkUrl(source.url).href;
  const remote: GitCall = { ...call, config: credentials(url, source.authorization) };
  const local: GitCall = { ...call, gitDir: path };
  try {
    const there = await listRemote(url, remote);
    const format = [...there.raw.values()].some((sha) => sha.length === 64) ? "sha256" : "sha1";
    if (format === "sha256") await makeSha256(path, local);
    // Most syncs find nothing new: asking first takes a third of a fetch.
    if (!same(there.raw, await readRawRefs(local))) await fetchOrStartOver(path, url, format, remote);
    return { shas: await readRefs(local), defaultBranch: there.defaultBranch };
  } catch (error) {
    await removeLeftovers(path);
    throw hostFailure(error, source);
  }
}

/** Bound to the one URL: git sends it nowhere else. */
function credentials(url: string, authorization: string | null): [string, string][] {
  return authorization === null ? [] : [[`http.${url}.extraHeader`, `Authorization: ${authorization}`]];
}

async function listRemote(url: string, call: GitCall): Promise<RemoteRefs> {
  const answer: RemoteRefs = { raw: new Map(), defaultBranch: null };
  const patterns = ["HEAD", "refs/heads/*", "refs/tags/*"];
  for (const line of linesOf(
    await gitText(["ls-remote", "--quiet", "--symref", "--end-of-options", url, ...patterns], call),
  )) {
    const [value = "", ref = ""] = line.split("\t");
    if (isRef(ref)) answer.raw.set(ref, value);
    else if (ref === "HEAD" && value.startsWith("ref: refs/heads/"))
      answer.defaultBranch = value.slice("ref: refs/heads/".length);
  }
  return answer;
}

/** A mirror is a cache: where its objects are broken, it is made anew. */
async function fetchOrStartOver(path: string, url: string, format: Format, call: GitCall): Promise<void> {
  try {
    await fetchAll(path, url, call);
  } catch (error) {
    if (!(error instanceof GitFailed) || !CORRUPT.test(error.stderr)) throw error;
    await rm(path, { recursive: true, force: true });
    await makeBare(path, format, call);
    await fetchAll(path, url, call);
  }
}

async function fetchAll(path: string, url: string, call: GitCall): Promise<void> {
  const quick = [
    "--quiet",
    "--no-auto-maintenance",
    "--no-write-fetch-head",
    "--no-show-forced-updates",
    "--no-recurse-submodules",
  ];
  await git(["fetch", ...quick, "--force", "--prune", "--no-tags", "--end-of-options", url, ...REFSPECS], {
    ...call,
    gitDir: path,
  });
}

async function makeSha256(path: string, call: GitCall): Promise<void> {
  if ((await gitText(["rev-parse", "--show-object-format"], call)).trim() === "sha256") return;
  await rm(path, { recursive: true, force: true });
  await makeBare(path, "sha256", { signal: call.signal, timeLimit: call.timeLimit });
}

function same(one: Map<string, Sha>, other: Map<string, Sha>): boolean {
  return one.size === other.size && [...one].every(([ref, sha]) => other.get(ref) === sha);
}
