import * as z from "zod";
import type { HostRepo } from "../../host.ts";
import { label, refName, sha } from "../../payload.ts";
import type { EventReader, Found } from "../events.ts";
import { repository } from "./payload.ts";

const change = z.object({
  ref: z.object({ id: refName, type: z.string().nullish() }),
  toHash: sha,
  type: z.string().nullish(),
});
const refsChanged = z.object({
  repository,
  changes: z.array(change).nullish(),
  toCommit: z.object({ id: sha }).nullish(),
});

/** Each ref of a push. Of very many a mirror names none: then the refs have to be read. */
function readRefsChanged(body: unknown): Found[] | { ignored: string } {
  const { repository: repo, changes, toCommit } = refsChanged.parse(body);
  if (changes == null || changes.length === 0) return [{ repo, ref: null, sha: null, detail: "without changes" }];
  // `toCommit` belongs to one change.
  const commit = changes.length === 1 ? (toCommit?.id ?? null) : null;
  const found = changes.flatMap((each) => readChange(repo, each, commit));
  return found.length > 0 ? found : { ignored: "neither a branch nor a tag was pushed" };
}

function readChange(repo: HostRepo, { ref, toHash, type }: z.output<typeof change>, commit: string | null): Found[] {
  const kind = /^refs\/(heads|tags)\//.exec(ref.id)?.[1];
  if (kind === undefined) return [];
  // A deleted ref has the id of all zeros.
  if (type === "DELETE" || /^0+$/.test(toHash)) return [{ repo, ref: ref.id, sha: null, detail: "deleted" }];
  // For an annotated tag, `toHash` is the tag object. Only `toCommit` names the commit.
  return [{ repo, ref: ref.id, sha: commit ?? (kind === "heads" ? toHash : null) }];
}

const modified = z.object({ new: repository });

/** A repo that was renamed or moved. */
function readModified(body: unknown): Found[] {
  return [{ repo: modified.parse(body).new, ref: null, sha: null }];
}

/** https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html */
export const readers: ReadonlyMap<string, EventReader> = new Map<string, EventReader>([
  ["repo:refs_changed", readRefsChanged],
  ["mirror:repo_synchronized", readRefsChanged],
  ["repo:modified", readModified],
  ["diagnostics:ping", () => ({ ignored: "ping" })],
]);

const named = z.object({ eventKey: label });

/** Unlike its header, the name in the body is signed. A ping has none. */
export function eventOf(body: unknown): string | null {
  return named.safeParse(body).data?.eventKey ?? null;
}
