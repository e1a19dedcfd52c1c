import * as z from "zod";
import { isOwnContext } from "../../../delivery/commit-status.ts";
import type { HostRequired } from "../../../delivery/gate.ts";
import { globMatches } from "../../../delivery/glob.ts";
import { BRANCHES } from "../../../delivery/refs.ts";
import type { CommitRef } from "../../../delivery/types.ts";
import type { RestApi } from "../../rest/client.ts";
import { unlessDeclined } from "../../rest/failure.ts";
import { readAnswer, repoPath } from "./payload.ts";

/** A merge check for builds (7.14 and newer): the builds of these parents must be green on the matching branches. */
const condition = z.object({
  buildParentKeys: z.array(z.string()).nullish(),
  refMatcher: z.object({ id: z.string(), type: z.object({ id: z.string() }) }),
});
type Condition = z.output<typeof condition>;

/**
 * What Bitbucket requires of a commit on any of these branches. Null: nothing, or it does not say, as in older versions.
 * https://developer.atlassian.com/server/bitbucket/rest/v816/api-group-builds-and-deployments/
 */
export async function readRequired(
  api: RestApi,
  { repo }: CommitRef,
  branches: readonly string[],
): Promise<HostRequired[] | null> {
  if (branches.length === 0) return null;
  const items = await unlessDeclined(api.list(`/required-builds/latest${repoPath(repo)}/conditions`), []);
  const conditions = readAnswer("a list of required builds", condition, items);
  const required = conditions.flatMap((each) => requiredBy(each, branches));
  return required.length === 0 ? null : required;
}

function requiredBy({ buildParentKeys, refMatcher }: Condition, branches: readonly string[]): HostRequired[] {
  const keys = (buildParentKeys ?? []).filter((key) => !isOwnContext(key));
  const applies = branches.some((branch) => isFor(refMatcher, BRANCHES + branch));
  if (!applies || keys.length === 0) return [];
  return keys.map((name) => ({ kind: "check", name, appId: null }));
}

/**
 * Whether a condition is for this branch. One for a part of the branching model counts for every branch: which
 * branches that are is in another API, and to wait for a build too many is better than for one too few.
 */
function isFor({ id, type }: Condition["refMatcher"], ref: string): boolean {
  switch (type.id) {
    case "BRANCH":
      return ref === id || ref === BRANCHES + id;
    case "PATTERN":
      return matchesPattern(id, ref);
    default:
      return true;
  }
}

/**
 * A pattern may begin at any part of the ref, and a slash at its end stands for all below.
 * https://confluence.atlassian.com/bitbucketserver/branch-permission-patterns-776639814.html
 */
function matchesPattern(pattern: string, ref: string): boolean {
  const glob = pattern.endsWith("/") ? `${pattern}**` : pattern;
  const parts = ref.split("/");
  return parts.some((_part, at) => globMatches(glob, parts.slice(at).join("/")));
}
