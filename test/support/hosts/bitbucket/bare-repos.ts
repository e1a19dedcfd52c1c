import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { git, initBare } from "../git.ts";
import type { Hook } from "./hooks.ts";

/** What both products know of a repo. The owner is a workspace, or the key of a project. */
export interface BareRepo {
  id: string;
  owner: string;
  name: string;
  defaultBranch: string;
  directory: string;
  hooks: Hook[];
  /** By full ref, what webhooks have told. */
  announced: Map<string, string>;
}

/** What happened to one ref of a push. */
export interface RefChange {
  ref: string;
  /** Ids of objects: of an annotated tag its own. Undefined: there is none. */
  before: string | undefined;
  after: string | undefined;
  /** The commit that it leads to; null for a deleted ref. */
  commit: string | null;
  isAnnotated: boolean;
}

export type Name = { owner: string; name: string };

/** The repos of a stand-in, each with its bare repository. */
export class BareRepos<R extends BareRepo> {
  readonly root: string;
  readonly all: R[] = [];
  #made = 0;

  private constructor(root: string) {
    this.root = root;
  }

  static async open<R extends BareRepo>(): Promise<BareRepos<R>> {
    return new BareRepos(await mkdtemp(join(tmpdir(), "dd-bitbucket-")));
  }

  async create(id: string, wanted: Name & { defaultBranch?: string }, more: Omit<R, keyof BareRepo>): Promise<R> {
    const { owner, name, defaultBranch = "main" } = wanted;
    const directory = join(this.root, `${++this.#made}.git`);
    await initBare(directory, defaultBranch);
    const bare: BareRepo = { id, owner, name, defaultBranch, directory, hooks: [], announced: new Map() };
    const repo = { ...bare, ...more } as unknown as R;
    this.all.push(repo);
    return repo;
  }

  find({ owner, name }: Name): R | undefined {
    return this.all.find((one) => one.owner === owner && one.name === name);
  }

  get(name: Name): R {
    const found = this.find(name);
    if (found === undefined) throw new Error(`the Bitbucket stand-in has no ${name.owner}/${name.name}`);
    return found;
  }
}

/** The ref was pushed, moved or deleted: what a webhook has to tell of it. */
export async function noticeChange(repo: BareRepo, ref: string): Promise<RefChange> {
  const read = (what: string) => git(repo.directory, ["rev-parse", "--verify", "--quiet", what]).catch(() => undefined);
  const before = repo.announced.get(ref);
  const after = await read(ref);
  if (after === undefined) repo.announced.delete(ref);
  else repo.announced.set(ref, after);
  const commit = after === undefined ? null : ((await read(`${ref}^{commit}`)) ?? null);
  return { ref, before, after, commit, isAnnotated: after !== undefined && after !== commit };
}

export function hasCommit({ directory }: BareRepo, sha: string): Promise<boolean> {
  return git(directory, ["cat-file", "-e", `${sha}^{commit}`]).then(
    () => true,
    () => false,
  );
}
