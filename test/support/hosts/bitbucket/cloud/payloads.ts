import type { RefChange } from "../bare-repos.ts";
import { type Repository, repoOfPayload, type Status, statusBody } from "./state.ts";

/** Bodies of webhooks, in the form of support.atlassian.com/bitbucket-cloud/docs/event-payloads. */

const actor = {
  type: "user",
  display_name: "Sam Sample",
  nickname: "sam",
  uuid: "{1f0e7a52-3f4c-4c57-9c8e-2a1d7b6a5e01}",
  account_id: "557058:00000000-0000-4000-8000-000000000001",
};

/** @param forgets what a tag from the web pages brings: no changes at all */
export function pushPayload(repo: Repository, changes: RefChange[], forgets = false): Record<string, unknown> {
  return { push: { changes: forgets ? [] : changes.map(changeOf) }, repository: repoOfPayload(repo), actor };
}

function changeOf({ ref, before, after, commit, isAnnotated }: RefChange): Record<string, unknown> {
  const isTag = ref.startsWith("refs/tags/");
  const name = ref.replace(/^refs\/(?:heads|tags)\//, "");
  const place = (hash: string | null | undefined) =>
    hash == null
      ? null
      : {
          type: isTag ? (isAnnotated ? "annotated_tag" : "tag") : "branch",
          name,
          target: { type: "commit", hash, message: "Change something\n", parents: [] },
          ...(isTag ? {} : { merge_strategies: ["merge_commit"], default_merge_strategy: "merge_commit" }),
        };
  return {
    old: place(before),
    new: place(commit),
    created: before === undefined,
    closed: after === undefined,
    forced: false,
    truncated: false,
    commits: [],
  };
}

export function statusPayload(apiUrl: string, repo: Repository, sha: string, status: Status): Record<string, unknown> {
  return { actor, repository: repoOfPayload(repo), commit_status: statusBody(apiUrl, repo, sha, status) };
}

export function renamePayload(repo: Repository, from: string): Record<string, unknown> {
  const changes = { full_name: { old: `${repo.owner}/${from}`, new: `${repo.owner}/${repo.name}` } };
  return { actor, repository: repoOfPayload(repo), changes };
}
