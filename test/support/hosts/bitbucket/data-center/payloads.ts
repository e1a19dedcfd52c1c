import type { RefChange } from "../bare-repos.ts";
import { type Repository, repoBody } from "./state.ts";

/** Bodies of webhooks, in the form of confluence.atlassian.com/bitbucketserver/event-payload. */

const ZERO = "0".repeat(40);
const actor = {
  name: "sam",
  emailAddress: "sam@example.com",
  active: true,
  displayName: "Sam Sample",
  id: 2,
  slug: "sam",
  type: "NORMAL",
};

/** The commit is named only where one ref has changed. */
export function refsChangedPayload(url: string, repo: Repository, changes: RefChange[]): Record<string, unknown> {
  const [first] = changes;
  const commit = changes.length === 1 && first?.commit != null ? commitOf(first.commit) : null;
  return {
    eventKey: "repo:refs_changed",
    date: "2026-01-31T12:00:00+0000",
    actor,
    repository: repoBody(url, repo),
    changes: changes.map(changeOf),
    ...(commit === null ? {} : { commits: [commit], toCommit: commit }),
  };
}

function changeOf({ ref, before, after }: RefChange): Record<string, unknown> {
  return {
    ref: {
      id: ref,
      displayId: ref.replace(/^refs\/(?:heads|tags)\//, ""),
      type: ref.startsWith("refs/tags/") ? "TAG" : "BRANCH",
    },
    refId: ref,
    fromHash: before ?? ZERO,
    toHash: after ?? ZERO,
    type: after === undefined ? "DELETE" : before === undefined ? "ADD" : "UPDATE",
  };
}

function commitOf(id: string): Record<string, unknown> {
  const author = { name: "Sam Sample", emailAddress: "sam@example.com" };
  return { id, displayId: id.slice(0, 11), author, committer: author, message: "Change something", parents: [] };
}

export function modifiedPayload(url: string, old: Repository, now: Repository): Record<string, unknown> {
  return {
    eventKey: "repo:modified",
    date: "2026-01-31T12:00:00+0000",
    actor,
    old: repoBody(url, old),
    new: repoBody(url, now),
  };
}
