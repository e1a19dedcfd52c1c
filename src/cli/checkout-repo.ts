import { basename } from "node:path";
import { type RepoPath, readRepoName } from "../delivery/repo-name.ts";
import type { Repo } from "../delivery/types.ts";
import type { WorkingTree } from "../git/working-tree.ts";
import { EXIT, Failure } from "./exit.ts";

/** The hosts of the configuration, as far as a clone shows which of them it is from. */
export type CloneUrls = Record<string, { cloneUrl: string }>;

/** The key of a host where no configuration says another, as without a configuration file. */
const DEFAULT_HOST = "github";

/** What the checkout is called on its host. */
export interface CheckoutRepo extends Repo {
  /** How the name is known: it was given, or read from the remote; or it is made up from the folder's name. */
  from: "option" | "remote" | "folder";
}

/**
 * The repo of a checkout: the one that was named, else the one that its remote leads to.
 * @param named `<owner>/<name>` or `<host>/<owner>/<name>`
 * @throws Failure if the name has another form
 */
export function repoOf(tree: WorkingTree, named: string | undefined, hosts: CloneUrls): CheckoutRepo {
  const { checkout, root } = tree;
  const defaultBranch = checkout?.remote?.defaultBranch ?? checkout?.branch ?? "main";
  const common = { id: "checkout", defaultBranch };
  if (named !== undefined) return { ...common, ...namedRepo(named, hosts), from: "option" };
  const remote = checkout?.remote ? readRemote(checkout.remote.url) : null;
  if (remote === null)
    return { ...common, host: hostKeyOf(null, hosts), owner: "owner", name: basename(root), from: "folder" };
  const host = hostKeyOf(remote.host, hosts);
  return { ...common, host, ...withoutPrefix(remote, hosts[host]?.cloneUrl), from: "remote" };
}

function namedRepo(named: string, hosts: CloneUrls): { host: string } & RepoPath {
  const [reading] = readRepoName(named, Object.keys(hosts));
  if (reading === undefined) throw new Failure(EXIT.usage, `"${named}" does not have the form [<host>/]<owner>/<name>`);
  const { owner, name } = reading;
  if (reading.host !== null) return { host: reading.host, owner, name };
  const [first = "", ...others] = owner.split("/");
  // Without a configuration, the first of three segments can only be meant as the host.
  const namesHost = Object.keys(hosts).length === 0 && others.length > 0;
  return namesHost ? { host: first, owner: others.join("/"), name } : { host: hostKeyOf(null, hosts), owner, name };
}

/** A host may serve its repos under a path: that is no part of an owner. */
function withoutPrefix({ owner, name }: RepoPath, cloneUrl: string | undefined): RepoPath {
  const [base = ""] = (cloneUrl ?? "").split("{owner}");
  const prefix = URL.canParse(base) ? new URL(base).pathname.replace(/^\/|\/$/g, "") : "";
  return { owner: prefix !== "" && owner.startsWith(`${prefix}/`) ? owner.slice(prefix.length + 1) : owner, name };
}

/**
 * A remote's host, and the repo's name there. An owner on a host may have slashes; of a path on this machine only two
 * segments are meant. Null: the URL does not say.
 */
export function readRemote(url: string): { host: string | null; owner: string; name: string } | null {
  // https://git-scm.com/docs/git-clone#_git_urls: `[user@]host:path` is ssh, too.
  const [, scpHost = null, scpPath = null] = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url) ?? [];
  const parsed = scpPath === null && URL.canParse(url) ? new URL(url) : null;
  const path = scpPath ?? parsed?.pathname ?? url;
  const segments = path
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")
    .split("/")
    .filter((part) => part !== "");
  const host = scpHost ?? (parsed?.host || null);
  const [name = "", ...owner] = segments.toReversed();
  if (owner.length === 0) return null;
  return { host, owner: (host === null ? owner.slice(0, 1) : owner.toReversed()).join("/"), name };
}

/** The configured host that clones come from, else the only one. */
function hostKeyOf(host: string | null, hosts: CloneUrls): string {
  const keys = Object.keys(hosts);
  const hostOf = (key: string) => readRemote(`${hosts[key]?.cloneUrl}/owner/name`)?.host ?? null;
  const its = keys.find((key) => host !== null && hostOf(key) === host);
  return its ?? (keys.length === 1 ? keys[0] : undefined) ?? DEFAULT_HOST;
}
