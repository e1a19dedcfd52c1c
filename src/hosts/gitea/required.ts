import * as z from "zod";
import { settleAll } from "../../async/settle-all.ts";
import type { HostRequired } from "../../delivery/gate.ts";
import type { CommitRef } from "../../delivery/types.ts";
import { path, type RestApi } from "../rest/client.ts";
import { unlessDeclined } from "../rest/failure.ts";
import { readAnswer, routeOf } from "./payload.ts";

const branchShape = z.object({
  enable_status_check: z.boolean().nullish(),
  status_check_contexts: z.array(z.string()).nullish(),
});

/** Our own status, or a glob for it. Waiting for it would be waiting for ourselves. */
const OWN = /^deliverd(?:$|[/*?[{])/i;

/**
 * What Gitea requires of a commit on any of these branches: globs of contexts, which whoever may read the branch may
 * read too. Null: it requires nothing, or the branch is gone.
 */
export async function readRequired(
  api: RestApi,
  { repo }: CommitRef,
  branches: readonly string[],
): Promise<HostRequired[] | null> {
  const found = await settleAll(
    branches.map((branch) => requiredOn(api, `${routeOf(repo)}${path`/branches/${branch}`}`)),
  );
  const required = found.flat();
  return required.length === 0 ? null : required;
}

async function requiredOn(api: RestApi, route: string): Promise<HostRequired[]> {
  const [told] = readAnswer("a branch", branchShape, [await unlessDeclined(api.get(route), {})]);
  if (told?.enable_status_check !== true) return [];
  const contexts = told.status_check_contexts ?? [];
  // Without contexts Gitea wants a status, and all of them to pass.
  if (contexts.length === 0) return [{ kind: "unnamed", what: "a passed status check", app: null }];
  return contexts.filter((name) => !OWN.test(name)).map((name) => ({ kind: "check", name, appId: null, isGlob: true }));
}
