import { createHash } from "node:crypto";
import { BRANCHES, TAGS } from "../../../src/delivery/refs.ts";
import type { Check, Sha } from "../../../src/delivery/types.ts";
import type { Hint } from "../../../src/hosts/host.ts";
import { decideByPerson } from "../../../src/ledger/by-person.ts";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { findDelivery, retryDelivery } from "../../../src/ledger/deliveries.ts";
import { createMask } from "../../../src/observe/mask.ts";
import type { SimRepo } from "../world/host.ts";
import type { Machine, World } from "../world/process.ts";
import type { Action, NewCommit, RepoPlan, Scenario } from "./scenario.ts";

/** What the world has seen, for the oracle: it knows nothing of deliverd's own records. */
export interface Seen {
  /** By id of the scenario. */
  shas: Map<string, Sha>;
  ids: Map<Sha, string>;
  repoOf: Map<Sha, number>;
  /** Commits that a ref has pointed to. */
  heads: Set<Sha>;
  /** Commits whose tag came from another commit, or went to one. */
  moved: Set<Sha>;
  /** Repos whose branches have lost commits. */
  removed: Set<number>;
  /** Commits of which somebody else has a name. */
  squatted: Set<Sha>;
  /** Commits that a person cancelled or asked for again. */
  touched: Set<Sha>;
  /** Ids of the webhooks that were answered 202. */
  accepted: string[];
  /** Commits of which a webhook that CI is red was answered 202. */
  toldRed: Set<Sha>;
  /** Commits whose checks have ever all passed. */
  wasGreen: Set<Sha>;
}

export function nothingSeen(): Seen {
  return {
    ...{ shas: new Map(), ids: new Map(), repoOf: new Map(), heads: new Set(), moved: new Set(), touched: new Set() },
    ...{ accepted: [], toldRed: new Set(), wasGreen: new Set(), removed: new Set(), squatted: new Set() },
  };
}

interface Parts {
  world: World;
  scenario: Scenario;
  workers: Machine[];
  seen: Seen;
  sendWebhook(hint: Omit<Hint, "deliveryId" | "repo">, repo: SimRepo): void;
  kill(machine: Machine): void;
  pause(machine: Machine, ms: number): void;
}

/** The first commit of each repo, which is there before deliverd. */
export function createRepos({ world, scenario, seen }: Pick<Parts, "world" | "scenario" | "seen">): void {
  for (const [index, plan] of scenario.repos.entries()) {
    const repo = { hostId: String(index + 1), owner: "acme", name: plan.name, defaultBranch: "main", refs: new Map() };
    world.host.repos.push(repo);
    const first = { id: `c0-${index}`, buildFails: false, changes: ["api", "web"] };
    repo.refs.set(`${BRANCHES}main`, makeCommit({ world, scenario, seen }, index, first, null));
  }
}

/** Lets an action of the scenario happen now. */
export async function act(parts: Parts, action: Action): Promise<void> {
  const { world, workers, seen } = parts;
  switch (action.kind) {
    case "push": {
      for (const commit of action.commits) commitTo(parts, action.repo, `${BRANCHES}${action.branch}`, commit, false);
      return pointedTo(parts, action.repo, `${BRANCHES}${action.branch}`);
    }
    case "force-push":
      seen.removed.add(action.repo);
      commitTo(parts, action.repo, `${BRANCHES}${action.branch}`, action.commit, true);
      return pointedTo(parts, action.repo, `${BRANCHES}${action.branch}`);
    case "branch":
      return setRef(parts, action.repo, `${BRANCHES}${action.branch}`, action.of);
    case "tag":
      return setRef(parts, action.repo, TAGS + action.tag, action.commit);
    case "delete-branch":
      seen.removed.add(action.repo);
      return void world.host.repos[action.repo]?.refs.delete(`${BRANCHES}${action.branch}`);
    case "ci":
      return setCi(parts, action);
    case "rename": {
      const repo = world.host.repos[action.repo];
      if (repo !== undefined) world.host.rename(repo, action.name);
      return;
    }
    case "squat":
      return squat(parts, action);
    case "cancel":
    case "retry":
      return asPerson(parts, action);
    case "registry-down": {
      const registry = world.registries.get(action.registry);
      if (registry !== undefined) registry.downUntil = world.scheduler.now + action.ms;
      return;
    }
    case "host-down":
      world.host.downUntil = world.scheduler.now + action.ms;
      return;
    case "redis-down":
      world.queue.downUntil = world.scheduler.now + action.ms;
      return;
    case "redis-emptied":
      return world.queue.empty();
    case "kill":
    case "pause":
    case "disk-lost": {
      const machine = workers[action.machine % workers.length];
      if (machine === undefined) return;
      if (action.kind === "pause") return parts.pause(machine, action.ms);
      parts.kill(machine);
      if (action.kind === "disk-lost") machine.loseDisk();
    }
  }
}

function commitTo(parts: Parts, index: number, ref: string, commit: NewCommit, isForced: boolean): void {
  const repo = parts.world.host.repos[index];
  if (repo === undefined) return;
  const head = repo.refs.get(ref) ?? repo.refs.get(`${BRANCHES}main`) ?? null;
  const [before = head] = isForced && head !== null ? parts.world.history.require(head).parents : [head];
  repo.refs.set(ref, makeCommit(parts, index, commit, before));
}

function makeCommit(
  { world, scenario, seen }: Pick<Parts, "world" | "scenario" | "seen">,
  index: number,
  { id, buildFails, changes }: NewCommit,
  parent: Sha | null,
): Sha {
  const sha = createHash("sha1").update(`${scenario.seed} ${id} ${parent}`).digest("hex");
  const before = parent === null ? {} : world.history.require(parent).folders;
  const changed = Object.fromEntries(changes.map((folder) => [folder, (before[folder] ?? 0) + 1]));
  const plan = scenario.repos[index];
  world.history.add({
    ...{ sha, parents: parent === null ? [] : [parent], committedAt: Math.floor(world.scheduler.now / 1000) * 1000 },
    ...{
      message: id,
      pipeline: plan === undefined ? "" : pipelineOf(plan),
      folders: { ...before, ...changed },
      buildFails,
    },
  });
  seen.shas.set(id, sha);
  seen.ids.set(sha, id);
  seen.repoOf.set(sha, index);
  return sha;
}

function pipelineOf({ name, supersede, artifacts }: RepoPlan): string {
  const tags = '["{version}", "{branch}", "sha-{shortSha}", latest]';
  return [
    "version: 1",
    "on: { branches: [main, release], tags: [v*] }",
    "ci: { required: [test], timeout: 2h }",
    `supersede: ${supersede}`,
    "artifacts:",
    ...artifacts.flatMap((artifact) => [
      `  - name: ${artifact.name}`,
      "    kind: image",
      `    context: ${artifact.name}`,
      `    dockerfile: ${artifact.name}/Dockerfile`,
      ...(artifact.paths.length === 0 ? [] : [`    paths: [${artifact.paths.join(", ")}]`]),
      "    publish:",
      ...artifact.to.map((to) => `      - { to: ${to}, as: acme/${name}-${artifact.name}, tags: ${tags} }`),
    ]),
  ].join("\n");
}

function setRef(parts: Parts, index: number, ref: string, commit: string): void {
  const repo = parts.world.host.repos[index];
  const sha = parts.seen.shas.get(commit);
  if (repo === undefined || sha === undefined) return;
  const before = repo.refs.get(ref);
  if (ref.startsWith(TAGS) && before !== undefined && before !== sha)
    for (const each of [before, sha]) parts.seen.moved.add(each);
  repo.refs.set(ref, sha);
  pointedTo(parts, index, ref);
}

function pointedTo({ world, seen, sendWebhook }: Parts, index: number, ref: string): void {
  const repo = world.host.repos[index];
  const sha = repo?.refs.get(ref);
  if (repo === undefined || sha === undefined) return;
  seen.heads.add(sha);
  sendWebhook({ event: "push", ref, sha }, repo);
}

function setCi(
  { world, seen, sendWebhook }: Parts,
  { repo: index, commit, state }: Extract<Action, { kind: "ci" }>,
): void {
  const repo = world.host.repos[index];
  const sha = seen.shas.get(commit);
  if (repo === undefined || sha === undefined) return;
  const [before] = world.host.checks.get(sha) ?? [];
  // A run that begins late does not undo its end.
  if (state === "pending" && before !== undefined) return;
  const detail = state === "passed" ? "success" : state;
  const check: Check = {
    name: "test",
    source: "check-run",
    state,
    app: "ci",
    appId: 1,
    detail,
    at: world.scheduler.now,
  };
  world.host.checks.set(sha, [check]);
  if (state === "passed") seen.wasGreen.add(sha);
  sendWebhook({ event: `check_run ${state}`, ref: null, sha }, repo);
}

function squat({ world, scenario, seen }: Parts, { repo, commit, registry }: Extract<Action, { kind: "squat" }>): void {
  const sha = seen.shas.get(commit);
  const plan = scenario.repos[repo];
  if (sha === undefined || plan === undefined) return;
  const isTaken = plan.artifacts.map(({ name }) =>
    world.registries
      .get(registry)
      ?.squat(`acme/${plan.name}-${name}:sha-${sha.slice(0, 7)}`, `sha256:${"f".repeat(64)}`),
  );
  if (isTaken.includes(true)) seen.squatted.add(sha);
}

/** As the API does it, on a ledger that answers. */
async function asPerson(
  { world, seen }: Parts,
  { kind, repo, commit }: Extract<Action, { kind: "cancel" | "retry" }>,
): Promise<void> {
  const sha = seen.shas.get(commit);
  if (sha === undefined) return;
  const ledger = world.database.directLedger(world.scheduler);
  const delivery = await findDelivery(ledger, `github:${repo + 1}`, sha);
  if (delivery === null) return;
  seen.touched.add(sha);
  const parts = { config: world.config, mask: createMask([]) };
  await decideByPerson(ledger, parts, delivery.id, (tx) =>
    kind === "retry" ? retryDelivery(tx, delivery.id) : requestCancel(tx, delivery.id),
  );
}
