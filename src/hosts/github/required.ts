import * as z from "zod";
import { settleAll } from "../../async/settle-all.ts";
import { isOwnContext } from "../../delivery/commit-status.ts";
import type { HostRequired } from "../../delivery/gate.ts";
import type { CommitRef } from "../../delivery/types.ts";
import { unlessDeclined } from "../rest/failure.ts";
import type { GitHubApi } from "./api.ts";
import { readAnswer } from "./payload.ts";
import { requiredCheck, requiredOfRules } from "./rules.ts";

const requiredChecks = z.object({
  contexts: z.array(z.string()).nullish(),
  checks: z.array(z.object({ context: z.string(), app_id: z.number().nullish() })).nullish(),
});
const branchShape = z.object({
  protected: z.boolean().nullish(),
  protection: z.object({ required_status_checks: requiredChecks.nullish() }).nullish(),
});

/**
 * What GitHub requires of a commit on any of these branches. Null: it requires nothing, or does not say: it declines if
 * the token may not see protection, the plan has no rules, or the branch is gone.
 */
export async function readRequired(
  api: GitHubApi,
  { repo }: CommitRef,
  branches: readonly string[],
): Promise<HostRequired[] | null> {
  const found = await settleAll(
    branches.flatMap((branch) => {
      const at = { owner: repo.owner, repo: repo.name, branch };
      return [requiredByProtection(api, at), requiredByRules(api, at)];
    }),
  );
  // A rule may require our own status before a merge. Waiting for it would be waiting for ourselves.
  const required = found.flat().filter((each) => each.kind !== "check" || !isOwnContext(each.name));
  return required.length === 0 ? null : required;
}

type BranchRef = { owner: string; repo: string; branch: string };

async function requiredByProtection(api: GitHubApi, at: BranchRef): Promise<HostRequired[]> {
  const [told] = readAnswer("a branch", branchShape, [
    await unlessDeclined(api.get("GET /repos/{owner}/{repo}/branches/{branch}", at), {}),
  ]);
  const names = contextsOf(told?.protection?.required_status_checks);
  if (names.length > 0 || told?.protected !== true) return names;
  const route = "GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks";
  const [asked] = readAnswer("required status checks", requiredChecks, [await unlessDeclined(api.get(route, at), {})]);
  return contextsOf(asked);
}

async function requiredByRules(api: GitHubApi, at: BranchRef): Promise<HostRequired[]> {
  return requiredOfRules(await unlessDeclined(api.list("GET /repos/{owner}/{repo}/rules/branches/{branch}", at), []));
}

/** GitHub gives two lists of checks. `contexts` is the older one, without apps. */
function contextsOf(required: z.output<typeof requiredChecks> | null | undefined): HostRequired[] {
  const checks = required?.checks ?? [];
  const twins = new Set(checks.map((check) => check.context));
  const others = (required?.contexts ?? []).filter((name) => !twins.has(name));
  return [
    ...others.map((name) => requiredCheck(name, null)),
    ...checks.map((check) => requiredCheck(check.context, check.app_id)),
  ];
}
