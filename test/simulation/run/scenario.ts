import type { FaultRates } from "../machine/network.ts";
import { FAULTS } from "../machine/network.ts";
import { Random } from "../machine/random.ts";
import { REGISTRIES } from "../world/settings.ts";
import { planActions } from "./plan-actions.ts";

/** A commit to be made. Ids are `c1`, `c2`, … in all repos together. */
export interface NewCommit {
  id: string;
  buildFails: boolean;
  /** The folders that it changes. */
  changes: string[];
}

/** Something that happens to the world. `at`: virtual ms after the start. */
export type Action = { at: number } & (
  | { kind: "push"; repo: number; branch: string; commits: NewCommit[] }
  /** Makes the branch point to a new commit on the parent of its head. */
  | { kind: "force-push"; repo: number; branch: string; commit: NewCommit }
  | { kind: "branch"; repo: number; branch: string; of: string }
  | { kind: "delete-branch"; repo: number; branch: string }
  | { kind: "tag"; repo: number; tag: string; commit: string }
  | { kind: "ci"; repo: number; commit: string; state: "pending" | "passed" | "failed" }
  | { kind: "rename"; repo: number; name: string }
  | { kind: "cancel" | "retry"; repo: number; commit: string }
  /** Somebody else takes the name of the commit's sha in a registry, if it is free. */
  | { kind: "squat"; repo: number; commit: string; registry: string }
  | { kind: "registry-down"; registry: string; ms: number }
  | { kind: "host-down" | "redis-down"; ms: number }
  | { kind: "redis-emptied" }
  | { kind: "kill"; machine: number }
  | { kind: "pause"; machine: number; ms: number }
  | { kind: "disk-lost"; machine: number }
);

export interface RepoPlan {
  name: string;
  supersede: boolean;
  artifacts: { name: string; paths: string[]; to: string[] }[];
}

/** Everything that a run is made of besides the choices of its seed. */
export interface Scenario {
  seed: number;
  workers: number;
  receivers: number;
  prepare: "eager" | "onGreen";
  isReproducible: boolean;
  repos: RepoPlan[];
  actions: Action[];
  rates: FaultRates;
  webhooks: { lost: number; doubled: number; late: number };
  /** When the world is well again: virtual ms after the start. */
  calmAt: number;
}

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const repos = Array.from({ length: random.chance(0.2) ? 2 : 1 }, (_, index) => repoPlan(random, index));
  const isRough = random.chance(0.8);
  const actions = planActions(random, repos, isRough);
  const last = actions.at(-1)?.at ?? 0;
  return {
    seed,
    workers: random.pick([1, 2, 2, 2, 3]),
    receivers: random.pick([1, 1, 2]),
    prepare: random.chance(0.6) ? "eager" : "onGreen",
    isReproducible: random.chance(0.5),
    repos,
    actions,
    rates: isRough ? ratesOf(random) : NO_FAULTS,
    webhooks: isRough
      ? { lost: random.next() * 0.4, doubled: random.next() * 0.3, late: 0.2 }
      : { lost: 0, doubled: 0, late: 0 },
    calmAt: last + random.between(1_000, 15_000),
  };
}

const NO_FAULTS = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as FaultRates;

/** Some runs have much of one fault, some a little of all. */
function ratesOf(random: Random): FaultRates {
  const scale = random.pick([0.002, 0.005, 0.015]);
  const rates = { ...NO_FAULTS };
  for (const fault of FAULTS) rates[fault] = random.chance(0.6) ? random.next() * scale : 0;
  rates.slow *= 4;
  return rates;
}

function repoPlan(random: Random, index: number): RepoPlan {
  const to = () => (random.chance(0.4) ? [...REGISTRIES] : [random.pick(REGISTRIES)]);
  const artifacts = random.chance(0.25)
    ? [
        { name: "api", paths: ["api/**"], to: to() },
        { name: "web", paths: ["web/**"], to: to() },
      ]
    : [{ name: "api", paths: [], to: to() }];
  return { name: `repo${index}`, supersede: random.chance(0.25), artifacts };
}
