import type { Random } from "../machine/random.ts";
import { REGISTRIES } from "../world/settings.ts";
import type { Action, NewCommit, RepoPlan } from "./scenario.ts";

/** The story of a run: pushes, their CI, and what else happens meanwhile, in the order of time. */
export function planActions(random: Random, repos: RepoPlan[], isRough: boolean): Action[] {
  const story = new Story(random, repos);
  const steps = random.between(1, 4);
  for (let step = 0; step < steps; step++) story.tell();
  if (isRough) for (let left = random.between(0, 5); left > 0; left--) story.disturb();
  return story.actions.toSorted((one, other) => one.at - other.at);
}

class Story {
  readonly actions: Action[] = [];
  readonly #random: Random;
  readonly #repos: RepoPlan[];
  readonly #commits: { id: string; repo: number }[] = [];
  #now = 0;
  #versions = 0;

  constructor(random: Random, repos: RepoPlan[]) {
    this.#random = random;
    this.#repos = repos;
  }

  /** One push with its CI, or a change of what is there. */
  tell(): void {
    const random = this.#random;
    this.#now += random.between(0, 12_000);
    const repo = random.between(0, this.#repos.length - 1);
    const known = this.#commits.filter((each) => each.repo === repo);
    const about = known.length === 0 ? 0 : random.next();
    const { id } = known[random.between(0, known.length - 1)] ?? { id: "" };
    if (about < 0.62) this.#push(repo);
    else if (about < 0.72) this.#tag(repo, id);
    else if (about < 0.79) this.#forcePush(repo);
    else if (about < 0.85) this.#branch(repo, id);
    else if (about < 0.9) this.#add({ kind: "rename", repo, name: `renamed${this.#now}` });
    else if (about < 0.94) this.#add({ kind: "ci", repo, commit: id, state: "failed" });
    else if (about < 0.96) this.#add({ kind: "squat", repo, commit: id, registry: random.pick(REGISTRIES) });
    else this.#add({ kind: random.pick(["cancel", "retry"]), repo, commit: id });
  }

  disturb(): void {
    const random = this.#random;
    const at = random.between(0, this.#now + 15_000);
    const ms = random.between(1_000, 30_000);
    const machine = random.between(0, 3);
    const one: Action = random.pick<Action>([
      { at, kind: "registry-down", registry: random.pick(REGISTRIES), ms },
      { at, kind: "host-down", ms },
      { at, kind: "redis-down", ms },
      { at, kind: "redis-emptied" },
      { at, kind: "redis-emptied" },
      { at, kind: "kill", machine },
      { at, kind: "kill", machine },
      { at, kind: "pause", machine, ms },
      { at, kind: "disk-lost", machine },
    ]);
    this.actions.push(one);
  }

  #push(repo: number): void {
    const branch = this.#random.chance(0.8) ? "main" : "release";
    const commits = Array.from({ length: this.#random.chance(0.15) ? 2 : 1 }, () => this.#commit(repo));
    this.#add({ kind: "push", repo, branch, commits });
    for (const { id } of commits) this.#ci(repo, id);
    if (this.#random.chance(0.25)) this.#tag(repo, commits.at(-1)?.id ?? "");
  }

  #forcePush(repo: number): void {
    const commit = this.#commit(repo);
    this.#add({ kind: "force-push", repo, branch: "main", commit });
    this.#ci(repo, commit.id);
  }

  #branch(repo: number, of: string): void {
    this.#add({ kind: "branch", repo, branch: "release", of });
    if (this.#random.chance(0.4)) this.#add({ kind: "delete-branch", repo, branch: "release" }, 10_000);
  }

  #tag(repo: number, commit: string): void {
    // Now and then a tag is moved from another commit.
    if (this.#versions === 0 || this.#random.chance(0.85)) this.#versions += 1;
    this.#add({ kind: "tag", repo, tag: `v1.0.${this.#versions}`, commit }, 8_000);
  }

  #ci(repo: number, commit: string): void {
    this.#add({ kind: "ci", repo, commit, state: "pending" }, 1_000);
    const isGreen = this.#random.chance(0.8);
    const end = this.#add({ kind: "ci", repo, commit, state: isGreen ? "passed" : "failed" }, 15_000);
    if (this.#random.chance(isGreen ? 0.07 : 0.3))
      this.actions.push({
        ...end,
        state: isGreen ? "failed" : "passed",
        at: end.at + this.#random.between(1, 20_000),
      } as Action);
  }

  #commit(repo: number): NewCommit {
    const id = `c${this.#commits.length + 1}`;
    this.#commits.push({ id, repo });
    const changes = this.#random.pick([["api"], ["api"], ["web"], ["api", "web"]]);
    return { id, buildFails: this.#random.chance(0.05), changes };
  }

  #add<A extends DistributiveOmit<Action, "at">>(action: A, within = 0): A & { at: number } {
    const at = this.#now + (within === 0 ? 0 : this.#random.between(1, within));
    const whole = { at, ...action };
    this.actions.push(whole as unknown as Action);
    return whole;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
