import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { git } from "./github/git.ts";
import type { GitHubStandIn, HookDelivery, NewRepo, Repo } from "./github.ts";

/** Paths to contents; null removes the file. */
export type Files = Record<string, string | Buffer | { executable: string | Buffer } | null>;

/** An image of one static program that prints a greeting, so that no base has to be pulled. */
export const greetingDockerfile = `FROM scratch
COPY busybox /bin/busybox
COPY greeting.txt /greeting.txt
CMD ["/bin/busybox", "cat", "/greeting.txt"]
`;

/** What `greetingDockerfile` needs, with it. */
async function greetingFiles(): Promise<Files> {
  return {
    Dockerfile: greetingDockerfile,
    "greeting.txt": "Hello from deliverd\n",
    busybox: { executable: await readFile("/bin/busybox") },
  };
}

/** A repo of the stand-in with a work tree beside it, as a developer has one. */
export class SampleRepo {
  /** As the stand-in knows it: id, owner and name, bare directory. */
  readonly repo: Repo;
  /** The work tree. */
  readonly directory: string;
  readonly #github: GitHubStandIn;
  /** Commits get rising dates, a minute apart, whatever the clock says. */
  #date = Date.UTC(2024, 0, 1) / 1000;
  #forks = 0;

  constructor(github: GitHubStandIn, repo: Repo, directory: string) {
    this.#github = github;
    this.repo = repo;
    this.directory = directory;
  }

  get owner(): string {
    return this.repo.owner;
  }

  get name(): string {
    return this.repo.name;
  }

  /** Writes the files, commits everything on the branch checked out, and gives the sha. Nothing is pushed yet. */
  async commit(files: Files = {}, message = "Change something"): Promise<string> {
    for (const [path, content] of Object.entries(files)) await this.#put(join(this.directory, path), content);
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", message);
    return this.head();
  }

  head(): Promise<string> {
    return this.git("rev-parse", "HEAD");
  }

  /** Makes the branch at `from` (left out: where we stand) and checks it out. */
  async branch(name: string, from = "HEAD"): Promise<void> {
    await this.git("checkout", "--quiet", "-b", name, from);
  }

  async checkout(name: string): Promise<void> {
    await this.git("checkout", "--quiet", name);
  }

  /** Tags a commit (left out: where we stand); one that stands already is moved. Nothing is pushed yet. */
  async tag(name: string, options: { annotated?: boolean; at?: string } = {}): Promise<void> {
    const annotated = options.annotated ? ["--annotate", "--message", `Release ${name}`] : [];
    await this.git("tag", "--force", ...annotated, name, options.at ?? "HEAD");
  }

  /** Pushes branches or tags by their short names (left out: the branch checked out), and GitHub tells of each. */
  async push(...names: string[]): Promise<HookDelivery[]> {
    return this.#push(names, []);
  }

  async forcePush(...names: string[]): Promise<HookDelivery[]> {
    return this.#push(names, ["--force"]);
  }

  /** Deletes branches or tags on the host, and GitHub tells of each. */
  async deleteRemote(...names: string[]): Promise<HookDelivery[]> {
    return this.#push(names, ["--delete"]);
  }

  /** Moves the branch checked out to another commit, as `git reset --hard` does. */
  async reset(to: string): Promise<void> {
    await this.git("reset", "--quiet", "--hard", to);
  }

  /** What the host no longer reaches by any ref is gone from it: what GitHub does to such commits some day. */
  async expire(): Promise<void> {
    await git(this.repo.directory, ["reflog", "expire", "--expire=now", "--all"]);
    await git(this.repo.directory, ["gc", "--quiet", "--prune=now"]);
  }

  /** A commit of a stranger's fork on the branch checked out. GitHub shows it in this repo under its id and as a pull request, but no branch holds it. */
  async plantForkCommit(files: Files, message = "A stranger's change"): Promise<string> {
    const ours = await this.head();
    const sha = await this.commit(files, message);
    await this.git("push", "--quiet", this.repo.directory, `${sha}:refs/pull/${++this.#forks}/head`);
    await this.reset(ours);
    return sha;
  }

  /** Runs git in the work tree. */
  git(...args: string[]): Promise<string> {
    this.#date += 60;
    const date = `${this.#date} +0000`;
    return git(this.directory, args, {
      GIT_AUTHOR_NAME: "Sam Sample",
      GIT_AUTHOR_EMAIL: "sam@example.com",
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: "Sam Sample",
      GIT_COMMITTER_EMAIL: "sam@example.com",
      GIT_COMMITTER_DATE: date,
    });
  }

  /** Removes the work tree. The bare repo goes with the stand-in. */
  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }

  async #put(path: string, content: Files[string]): Promise<void> {
    if (content === null) {
      await rm(path, { recursive: true });
      return;
    }
    const isPlain = typeof content === "string" || Buffer.isBuffer(content);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, isPlain ? content : content.executable);
    await chmod(path, isPlain ? 0o644 : 0o755);
  }

  async #push(names: string[], options: string[]): Promise<HookDelivery[]> {
    const wanted = names.length > 0 ? names : [await this.git("symbolic-ref", "--short", "HEAD")];
    const refs = await Promise.all(wanted.map((name) => this.#fullRef(name)));
    const specs = options.includes("--delete") ? refs : refs.map((ref) => `${ref}:${ref}`);
    await this.git("push", "--quiet", ...options, this.repo.directory, ...specs);
    const told: HookDelivery[] = [];
    for (const ref of refs) told.push(...(await this.#github.push(this.repo, ref)));
    return told;
  }

  async #fullRef(name: string): Promise<string> {
    if (name.startsWith("refs/")) return name;
    const isTag = await this.git("tag", "--list", name);
    return isTag === "" ? `refs/heads/${name}` : `refs/tags/${name}`;
  }
}

/** A repo on the stand-in with a first commit in its work tree, not pushed. Files left out: `greetingDockerfile` and what it needs. */
export async function sampleRepo(github: GitHubStandIn, wanted: NewRepo & { files?: Files }): Promise<SampleRepo> {
  const { files, ...repo } = wanted;
  const directory = await mkdtemp(join(tmpdir(), "dd-sample-"));
  const sample = new SampleRepo(github, await github.createRepo(repo), directory);
  try {
    await sample.git("init", "--quiet", "--template=", `--initial-branch=${sample.repo.defaultBranch}`);
    await sample.commit(files ?? (await greetingFiles()), "Begin");
    return sample;
  } catch (error) {
    await sample.remove();
    throw error;
  }
}
