import type { ArtifactName, Digest, RepoId } from "./types.ts";

/** Who wants to put a name on which content. */
export interface NameRequest extends ArtifactName {
  repoId: RepoId;
  artifact: string;
  digest: Digest;
}

/** What the ledger says stands under a name. */
export type StandingName = Pick<NameRequest, "immutable" | "repoId" | "artifact" | "digest">;

/** An earlier write of the name that did not come to its end. */
export interface UnfinishedWrite {
  immutable: boolean;
  repoId: RepoId;
  /** What moving writes may have put there: nobody knows which of them the registry has. */
  digests: Digest[];
}

/**
 * - `free`: the registry may be written. `ours`: contents that deliverd itself may have put there under a moving name, so
 *   that an immutable one may take their place.
 * - `stands`: the name stands for this very content already.
 * - `taken`: the name is not this request's to have.
 * - `another-repos`: a moving name that another repo moves, in a repository that both share: it keeps the name.
 */
export type Permission =
  | { kind: "free"; ours: Digest[] }
  | { kind: "stands" }
  | { kind: "taken" | "another-repos"; because: string };

/**
 * Who may write a name: an immutable name belongs to its first content for good, and it takes the place of a moving one,
 * whichever came first. A moving name belongs to one repo.
 */
export function mayWrite(
  request: NameRequest,
  standing: StandingName | null,
  unfinished: UnfinishedWrite | null,
): Permission {
  if (standing?.immutable) {
    const isSame = standing.repoId === request.repoId && standing.digest === request.digest;
    // A moving name may rest on an immutable one of the same content; a second artifact may not call that content its own.
    if (isSame && (!request.immutable || standing.artifact === request.artifact)) return { kind: "stands" };
    return {
      kind: "taken",
      because: `${said(request)} stands for ${nameOf(standing)}: an immutable name is never moved`,
    };
  }
  if (request.immutable) {
    const begun = unfinished?.digests ?? [];
    return { kind: "free", ours: standing === null ? begun : [standing.digest, ...begun] };
  }
  if (standing !== null && standing.repoId !== request.repoId)
    return { kind: "another-repos", because: `${said(request)} is moved by another repo, which had it first` };
  if (unfinished?.immutable && unfinished.repoId === request.repoId)
    return { kind: "taken", because: `${said(request)} is kept for an immutable name that is being published` };
  return { kind: "free", ours: [] };
}

function said({ registry, repository, tag }: ArtifactName): string {
  return `${repository}:${tag} in ${registry}`;
}

function nameOf({ artifact, digest }: StandingName): string {
  return `${artifact} ${digest.slice(0, "sha256:".length + 12)}`;
}
