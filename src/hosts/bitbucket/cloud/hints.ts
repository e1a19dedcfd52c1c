import * as z from "zod";
import { isOwnContext } from "../../../delivery/commit-status.ts";
import type { HostRepo } from "../../host.ts";
import { label, refName, sha } from "../../payload.ts";
import { type EventReader, type Found, fullRef } from "../events.ts";
import { repository } from "./payload.ts";

const target = z.object({ hash: sha, type: z.string().nullish() });
const place = z.object({ type: z.string(), name: refName, target: target.nullish() });
const change = z.object({ old: place.nullish(), new: place.nullish() });
const push = z.object({ repository, push: z.object({ changes: z.array(change) }) });

/** Each change of a push. A tag that is made in the web pages may come without any: then the refs have to be read. */
function readPush(body: unknown): Found[] | { ignored: string } {
  const { repository, push: pushed } = push.parse(body);
  const { repo } = repository;
  if (pushed.changes.length === 0) return [{ repo, ref: null, sha: null, detail: "without changes" }];
  const found = pushed.changes.flatMap((each) => readChange(repo, each));
  return found.length > 0 ? found : { ignored: "neither a branch nor a tag was pushed" };
}

function readChange(repo: HostRepo, { old, new: now }: z.output<typeof change>): Found[] {
  const at = now ?? old;
  const ref = at == null ? null : fullRef(kindOf(at.type), at.name);
  if (ref === null) return [];
  if (now == null) return [{ repo, ref, sha: null, detail: "deleted" }];
  // The target of an annotated tag is its commit. Should it ever be an object of another type, its id is none.
  const isCommit = now.target != null && (now.target.type ?? "commit") === "commit";
  return [{ repo, ref, sha: isCommit ? (now.target?.hash ?? null) : null }];
}

/** Null: a bookmark or a named branch, which Mercurial had. */
function kindOf(type: string): "branch" | "tag" | null {
  if (type === "branch") return "branch";
  return type === "tag" || type === "annotated_tag" ? "tag" : null;
}

const link = z.object({ href: z.string() }).nullish();
const buildStatus = z.object({
  repository,
  commit_status: z.object({
    key: z.string().nullish(),
    name: z.string().nullish(),
    state: label,
    commit: z.object({ hash: sha }).nullish(),
    links: z.object({ commit: link }).nullish(),
  }),
});

function readBuildStatus(body: unknown): Found[] | { ignored: string } {
  const { repository, commit_status: status } = buildStatus.parse(body);
  if (isOwnContext(status.name ?? "") || isOwnContext(status.key ?? "")) return { ignored: "our own report" };
  // The documented payload has the commit in a link only, and a real one has it twice.
  const linked = sha.safeParse(/\/commit\/([0-9a-f]+)$/i.exec(status.links?.commit?.href ?? "")?.[1]).data;
  const commit = status.commit?.hash ?? linked ?? null;
  if (commit === null) return { ignored: "it names no commit" };
  return [{ repo: repository.repo, ref: null, sha: commit, detail: status.state }];
}

const named = z.object({ repository });

/** A repo that was renamed or moved: the payload has its new name. */
function readRename(body: unknown): Found[] {
  return [{ repo: named.parse(body).repository.repo, ref: null, sha: null }];
}

/** https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ */
export const readers: ReadonlyMap<string, EventReader> = new Map<string, EventReader>([
  ["repo:push", readPush],
  ["repo:commit_status_created", readBuildStatus],
  ["repo:commit_status_updated", readBuildStatus],
  ["repo:updated", readRename],
  ["repo:transfer", readRename],
]);
