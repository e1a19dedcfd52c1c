import { basename } from "node:path";
import { readRepoName } from "../delivery/repo-name.ts";
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
export function repoOf(
  tree: Pick<WorkingTree, "checkout" | "root">,
  named: string | undefined,
  hosts: CloneUrls,
): CheckoutRepo {
  const { checkout, root } = tree;
  const defaultBranch = checkout?.remote?.defaultBranch ?? checkout?.branch ?? "main";
  const common = { id: "checkout", defaultBranch };
  if (named !== undefined) {
    const keys = Object.keys(hosts);
    // Without a configuration, the first of three parts is the host.
    const [reading] = readRepoName(named, keys.length > 0 ? keys : [named.replace(/\/.*$/, "")]);
    if (reading === undefined)
      throw new Failure(EXIT.usage, `"${named}" does not have the form [<host>/]<owner>/<name>`);
    return { ...common, ...reading, host: reading.host ?? hostKeyOf(null, hosts), from: "option" };
  }
  const remote = checkout?.remote ? readRemote(checkout.remote.url) : null;
  if (remote === null)
    return { ...common, host: hostKeyOf(null, hosts), owner: "owner", name: basename(root), from: "folder" };
  const host = hostKeyOf(remote.host, hosts);
  return { ...common, host, owner: ownerAt(hosts[host], remote.owner), name: remote.name, from: "remote" };
}

/** The owner without the path under which a host has all its repos, as a GitLab under `/gitlab`. */
function ownerAt(host: CloneUrls[string] | undefined, owner: string): string {
  const [root = ""] = (host?.cloneUrl ?? "").split("{", 1);
  const base = URL.canParse(root) ? new URL(root).pathname.replace(/^\/|\/$/g, "") : "";
  return base !== "" && owner.startsWith(`${base}/`) ? owner.slice(base.length + 1) : owner;
}

/**
 * A remote's host, and the repo's name there: an owner may have slashes. Without a host, the path is one of a machine,
 * and its last folder is the owner. Null: the URL does not say.
 */
export function readRemote(url: string): { host: string | null; owner: string; name: string } | null {
  // https://git-scm.com/docs/git-clone#_git_urls: `[user@]host:path` is ssh, too.
  const [, scpHost = null, scpPath = null] = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url) ?? [];
  const parsed = scpPath === null && URL.canParse(url) ? new URL(url) : null;
  const path = scpPath ?? parsed?.pathname ?? url;
  const [name, ...above] = path
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")
    .split("/")
    .filter((part) => part !== "")
    .reverse();
  const host = scpHost ?? (parsed?.host || null);
  const owner = (host === null ? above.slice(0, 1) : above.reverse()).join("/");
  return !name || owner === "" ? null : { host, owner, name };
}

/** The configured host that clones come from, else the only one. */
function hostKeyOf(host: string | null, hosts: CloneUrls): string {
  const keys = Object.keys(hosts);
  const hostOf = (key: string) => readRemote(`${hosts[key]?.cloneUrl}/owner/name`)?.host ?? null;
  const its = keys.find((key) => host !== null && hostOf(key) === host);
  return its ?? (keys.length === 1 ? keys[0] : undefined) ?? DEFAULT_HOST;
}
