import * as z from "zod";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import { Declined, type GitHubApi } from "../api.ts";
import { readAnswer } from "../payload.ts";

/** https://docs.github.com/en/rest/apps/apps */
const installation = z.object({
  id: z.number().int().positive(),
  app_slug: z.string(),
  html_url: z.string(),
  suspended_at: z.string().nullish(),
  permissions: z.record(z.string(), z.string()),
});

export type Installation = z.output<typeof installation>;

const MAX_OWNERS = 10_000;
/** How long an owner without the App is not asked for again (ms): a person who has just installed it waits. */
const ABSENT_MS = 60_000;

/** Which installation of the App an owner has: an organisation or a user has at most one. */
export class Installations {
  readonly #app: GitHubApi;
  /** Ids by the owner's name in lower case. */
  readonly #ids = new BoundedCache<number>(MAX_OWNERS);
  readonly #absent: BoundedCache<true>;
  readonly #asking = new Map<string, Promise<Installation | null>>();

  constructor(app: GitHubApi, absentMs = ABSENT_MS) {
    this.#app = app;
    this.#absent = new BoundedCache(MAX_OWNERS, absentMs);
  }

  /** The id. Null: the App is not installed there. @throws TransientError */
  async idOf(owner: string): Promise<number | null> {
    const key = owner.toLowerCase();
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#absent.get(key) !== undefined) return null;
    return (await this.find(owner))?.id ?? null;
  }

  /** Asks GitHub. Null: the App is not installed there. @throws TransientError */
  find(owner: string): Promise<Installation | null> {
    const key = owner.toLowerCase();
    const asking = this.#asking.get(key) ?? this.#ask(owner).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  /** A webhook has told the id. */
  learn(owner: string, id: number): void {
    this.#absent.delete(owner.toLowerCase());
    this.#ids.set(owner.toLowerCase(), id);
  }

  /** What was known of the owner may have changed. */
  forget(owner: string): void {
    this.#absent.delete(owner.toLowerCase());
    this.#ids.delete(owner.toLowerCase());
  }

  async #ask(owner: string): Promise<Installation | null> {
    const found = await this.#askFor(owner);
    if (found === null) {
      this.forget(owner);
      this.#absent.set(owner.toLowerCase(), true);
    } else this.learn(owner, found.id);
    return found;
  }

  async #askFor(owner: string): Promise<Installation | null> {
    // Only one of the two routes knows the owner.
    for (const route of ["GET /orgs/{owner}/installation", "GET /users/{owner}/installation"]) {
      try {
        return readAnswer("an installation", installation, [await this.#app.get(route, { owner })])[0] ?? null;
      } catch (error) {
        if (!(error instanceof Declined)) throw error;
      }
    }
    return null;
  }
}
