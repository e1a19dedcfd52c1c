import * as z from "zod";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import type { HostRepo } from "../../host.ts";
import { refName } from "../../payload.ts";
import { path, type Query, type RestApi } from "../../rest/client.ts";
import { Declined, unlessDeclined } from "../../rest/failure.ts";
import { readAnswer, repoPath, repository } from "./payload.ts";

/** How long a repo that was not found by its id is not looked for again, and how many ids are remembered. */
const UNKNOWN_TTL_MS = 10 * 60_000;
const MAX_UNKNOWN = 1_000;
/** The most that Bitbucket gives on a page of repos. */
const LARGE_PAGE = 1_000;

const branch = z.object({ displayId: refName });

/** Finds and lists repos. A project is their owner: its key, or `~user` of a person's own. */
export class Repos {
  readonly #api: RestApi;
  readonly #unknown = new BoundedCache<true>(MAX_UNKNOWN, UNKNOWN_TTL_MS);

  constructor(api: RestApi) {
    this.#api = api;
  }

  /** The repo with this name now. Null: Bitbucket shows none. @throws TransientError */
  async find(project: string, name: string): Promise<HostRepo | null> {
    if (isNested(project)) return null;
    const answer = await unlessDeclined(this.#api.get(`/api/latest${repoPath({ owner: project, name })}`), null);
    const [found] = answer === null ? [] : readAnswer("a repo", repository, [answer]);
    if (found === undefined) return null;
    return found.defaultBranch === null ? { ...found, defaultBranch: await this.#defaultBranch(found) } : found;
  }

  /**
   * The same by its id, for one that was renamed while no webhook came. No route takes an id, so all repos that the
   * token sees are listed.
   */
  async findById(hostId: string): Promise<HostRepo | null> {
    if (this.#unknown.get(hostId)) return null;
    const all = await this.#list("/api/latest/repos", { limit: LARGE_PAGE });
    const found = all.find((repo) => repo.hostId === hostId);
    if (found === undefined) {
      this.#unknown.set(hostId, true);
      return null;
    }
    return found.defaultBranch === null ? { ...found, defaultBranch: await this.#defaultBranch(found) } : found;
  }

  /** The repos of a project that the token may see. @throws TransientError */
  async list(project: string): Promise<HostRepo[]> {
    return isNested(project) ? [] : this.#list(path`/api/latest/projects/${project}/repos`, {});
  }

  async #list(route: string, query: Query): Promise<HostRepo[]> {
    const items = await unlessDeclined(this.#api.list(route, query), []);
    return readAnswer("a list of repos", repository, items);
  }

  /** Null: there is no such branch yet. */
  async #defaultBranch(repo: HostRepo): Promise<string | null> {
    for (const route of ["default-branch", "branches/default"]) {
      try {
        const answer = await this.#api.get(`/api/latest${repoPath(repo)}/${route}`);
        // An empty repo has no content here.
        return answer === undefined ? null : (readAnswer("a branch", branch, [answer])[0]?.displayId ?? null);
      } catch (error) {
        // Before 7.5 only the second route is known.
        if (!(error instanceof Declined)) throw error;
      }
    }
    return null;
  }
}

/** Bitbucket has no project within a project. */
function isNested(project: string): boolean {
  return project.includes("/");
}
