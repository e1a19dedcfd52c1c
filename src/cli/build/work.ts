import { randomBytes } from "node:crypto";
import type { Work } from "../../../workers/commit/work.ts";
import { watches } from "../../delivery/bounds.ts";
import { deliveryIdOf } from "../../delivery/delivery-id.ts";
import { BRANCHES } from "../../delivery/refs.ts";
import type { Plan, Repo, RepoBounds } from "../../delivery/types.ts";
import { requireDate } from "../../git/commit.ts";
import type { WorkingTree } from "../../git/working-tree.ts";
import { ensureDelivery } from "../../ledger/deliveries.ts";
import { claimDelivery } from "../../ledger/leases.ts";
import { saveRepos } from "../../ledger/repos.ts";
import type { BuildStation } from "./station.ts";

/** Longer than a build may take: nobody else sees this ledger. */
const LEASE_MS = 7 * 24 * 3_600_000;

/** The watched refs that hold the tree's commit, and why another one that holds it is not watched. */
export interface Holders {
  /** Full refs; the branch that is checked out leads. */
  watched: string[];
  because: string[];
}

export async function holdersOf(tree: WorkingTree, plan: Plan, bounds: RepoBounds): Promise<Holders> {
  const { mirror, sha, checkout } = tree;
  const own = checkout?.branch ? BRANCHES + checkout.branch : null;
  const first = (ref: string) => (ref === own ? 0 : 1);
  const held = (await mirror.refsContaining(sha))
    .filter((ref) => !isMark(ref))
    .sort((a, b) => first(a) - first(b))
    .map((ref) => ({ ref, ...watches(plan.on, bounds, ref) }));
  return {
    watched: held.filter((each) => each.watched).map(({ ref }) => ref),
    because: held.filter((each) => !each.watched).map((each) => each.because),
  };
}

/** The tag that gives changed files their version. It is no ref that anybody pushes. */
function isMark(ref: string): boolean {
  return ref.endsWith(".dirty");
}

/** The work that the daemon's delivery of this commit would be, in the station's own ledger. */
export async function workOf(
  { ledger, owner }: Pick<BuildStation, "ledger" | "owner">,
  tree: WorkingTree,
  repo: Repo,
  plan: Plan,
  refs: string[],
): Promise<Work> {
  const { mirror, sha } = tree;
  const commit = requireDate(await mirror.commit(sha));
  // Caches of builds belong to a repo. What is built here must not get into those of the server's builds.
  const here = { ...repo, id: `build ${repo.id}` };
  await ledger.transaction((tx) => saveRepos(tx, [here]));
  const delivery = await ensureDelivery(ledger, here.id, sha, {
    ...{ id: deliveryIdOf(repo.id, sha), ref: refs[0] ?? null, state: "queued", because: "" },
    ...{ message: commit.message, author: commit.author, committedAt: commit.committedAt.getTime() },
  });
  const claim = await claimDelivery(ledger, delivery.id, owner, LEASE_MS);
  if (claim === null) throw new Error(`the delivery ${delivery.id} of a new ledger cannot be claimed`);
  const tags = (await mirror.tagsOn(sha)).filter((tag) => !isMark(tag));
  // A daemon on the same engine removes what its dead builds left: this is none of its builds.
  const builtAs = `cli-${randomBytes(6).toString("hex")}`;
  return { delivery, repo: here, mirror, commit, plan, refs, tags, hints: [], fence: claim.fence, builtAs };
}
