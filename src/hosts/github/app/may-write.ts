import * as z from "zod";
import { Refused } from "../../../delivery/errors.ts";
import type { Repo } from "../../../delivery/types.ts";
import { Declined, type GitHubApi } from "../api.ts";
import { readAnswer } from "../payload.ts";

/** `maintain` counts as `write` here, and `triage` as `read`. */
const permissionShape = z.object({ permission: z.string() });
const MAY_WRITE = ["admin", "write"];

/**
 * https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
 * @throws TransientError; Refused if the App may not ask
 */
export async function mayWrite(api: GitHubApi, repo: Repo, person: string): Promise<boolean> {
  const route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
  try {
    const answer = await api.get(route, { owner: repo.owner, repo: repo.name, username: person });
    return readAnswer("a permission", permissionShape, [answer]).some(({ permission }) =>
      MAY_WRITE.includes(permission),
    );
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    // GitHub knows no such user, as for a bot.
    if (error.status === 404) return false;
    throw new Refused(
      "github-rights-hidden",
      `GitHub does not say whether ${person} may write to ${repo.owner}/${repo.name} (${error.status}, ${error.message}).`,
    );
  }
}
