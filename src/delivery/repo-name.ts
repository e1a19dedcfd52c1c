import { globMatches } from "./glob.ts";

/**
 * Names of repos. An owner may have slashes, as a group within a group on GitLab: the last segment is the repo's name,
 * and all before it are the owner. `<hosts key>/<owner>/<name>` is the full name.
 */

export interface RepoPath {
  owner: string;
  name: string;
}

/** A host and a path of which a written name may consist. */
export interface RepoReading extends RepoPath {
  /** A key under `hosts`. Null: any host. */
  host: string | null;
}

/** Owner and name become parts of paths and URLs. These characters need no encoding there. */
const SEGMENT = /^(?!\.{1,2}$)[\w.~-]{1,255}$/;
/** GitLab nests groups 20 deep. */
const MAX_SEGMENTS = 24;

/** Splits `group/sub/name`. Null: it is not the path of a repo. */
export function parseRepoPath(path: string): RepoPath | null {
  const segments = path.split("/");
  if (segments.length < 2 || segments.length > MAX_SEGMENTS || !segments.every((each) => SEGMENT.test(each)))
    return null;
  return { owner: segments.slice(0, -1).join("/"), name: segments.at(-1) ?? "" };
}

/**
 * What a written name of a repo may mean, the likeliest first. `gitlab/acme/api` is the repo `acme/api` of the host
 * `gitlab`, or `api` of the owner `gitlab/acme` on any host. Empty: it is not the name of a repo.
 * @param hosts the keys under `hosts`
 */
export function readRepoName(text: string, hosts: Iterable<string>): RepoReading[] {
  const readings: RepoReading[] = [];
  for (const host of hosts) {
    const path = text.startsWith(`${host}/`) ? parseRepoPath(text.slice(host.length + 1)) : null;
    if (path !== null) readings.push({ host, ...path });
  }
  const whole = parseRepoPath(text);
  if (whole !== null) readings.push({ host: null, ...whole });
  return readings;
}

/** Every repo that a written name may mean, the likeliest first, on each host where it may be. */
export function reposNamed(text: string, hosts: readonly string[]): (RepoPath & { host: string })[] {
  return readRepoName(text, hosts).flatMap(({ host, ...path }) =>
    (host === null ? hosts : [host]).map((key) => ({ host: key, ...path })),
  );
}

/** `gitlab/group/sub/name`, as people read and write it. */
export function fullRepoName({ host, owner, name }: RepoPath & { host: string }): string {
  return `${host}/${owner}/${name}`;
}

/** An entry of `repos`, as far as it says which repos it is for. */
export interface RepoPattern {
  match: string;
  /** The key under `hosts` that `match` begins with. Null or left out: it begins with none. */
  host?: string | null;
}

/**
 * The key under `hosts` that a pattern begins with. What follows it must be able to match a repo: `github/*` is for the
 * owner `github` on any host, `gitlab/**` for all repos of the host `gitlab`. Null: it begins with none.
 */
export function hostOfPattern(match: string, hosts: Iterable<string>): string | null {
  for (const host of hosts) {
    if (!match.toLowerCase().startsWith(`${host.toLowerCase()}/`)) continue;
    const rest = match.slice(host.length + 1);
    if (rest.includes("/") || rest.includes("**")) return host;
  }
  return null;
}

/** Whether a pattern is for this repo. Upper and lower case are equal, as on the hosts. */
export function repoMatches({ match, host }: RepoPattern, repo: RepoPath & { host: string }): boolean {
  const glob = match.toLowerCase();
  const path = `${repo.owner}/${repo.name}`.toLowerCase();
  const full = `${repo.host}/${path}`.toLowerCase();
  // Otherwise an entry for `github/acme/*` would let in what a group `github/acme` of another host holds.
  if (host != null)
    return (
      host.toLowerCase() === repo.host.toLowerCase() && globMatches(pathOfPattern({ match, host }).toLowerCase(), path)
    );
  if (beginsWithAnyHost(glob)) return globMatches(glob, full);
  return globMatches(glob, path) || globMatches(glob, full);
}

/** Whether the first of three or more segments stands for any host: then the rest is the whole path of a repo. */
function beginsWithAnyHost(glob: string): boolean {
  const [first = "", ...others] = glob.split("/");
  return first.includes("*") && !first.includes("**") && others.length > 1;
}

/** The part of a pattern after its host. */
export function pathOfPattern({ match, host }: RepoPattern): string {
  return host == null ? match : match.slice(host.length + 1);
}

/** What a host can be asked about a pattern. */
export type PatternQuestion =
  | ({ kind: "repo" } & RepoPath)
  /** The repos of an owner and, where owners nest, of those within it. */
  | { kind: "owner"; owner: string }
  /** It names no owner, so no host can list its repos. */
  | { kind: "unlisted" }
  /** It is for another host. */
  | { kind: "elsewhere" };

/** What to ask the host with this key about a pattern. */
export function questionOfPattern(pattern: RepoPattern, key: string): PatternQuestion {
  const host = pattern.host ?? hostOfPattern(pattern.match, [key]);
  if (host !== null && host.toLowerCase() !== key.toLowerCase()) return { kind: "elsewhere" };
  const own = pathOfPattern({ match: pattern.match, host });
  const segments = own.split("/");
  const path = host === null && beginsWithAnyHost(own) ? segments.slice(1) : segments;
  if (path.length < segments.length && !globMatches(segments[0] ?? "", key)) return { kind: "elsewhere" };
  const wild = path.findIndex((segment) => /[*?]/.test(segment));
  if (wild === -1) return { kind: "repo", owner: path.slice(0, -1).join("/"), name: path.at(-1) ?? "" };
  return wild === 0 ? { kind: "unlisted" } : { kind: "owner", owner: path.slice(0, wild).join("/") };
}

/**
 * The URL of a repo: `cloneUrl` with `{owner}` and `{name}` filled in, or followed by both. Each segment is encoded.
 * @param suffix follows the name where `cloneUrl` has no placeholders, as in `.git`
 */
export function repoUrl(cloneUrl: string, { owner, name }: RepoPath, suffix = ""): string {
  const path = owner.split("/").map(encodeURIComponent).join("/");
  const last = encodeURIComponent(name);
  if (cloneUrl.includes("{name}"))
    return cloneUrl.replaceAll(/\{(owner|name)\}/g, (_all, key) => (key === "owner" ? path : last));
  return `${cloneUrl.replace(/\/+$/, "")}/${path}/${last}${suffix}`;
}
