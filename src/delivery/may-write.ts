import type { ArtifactName, Digest, RepoId } from "./types.ts";

/** A request to give a name to a content. */
export interface NameRequest extends ArtifactName {
  repoId: RepoId;
  artifact: string;
  digest: Digest;
}

/** What a name stands for now, by the ledger. */
export type StandingName = Pick<NameRequest, "immutable" | "repoId" | "artifact" | "digest">;

/** An earlier write of the name that did not finish. */
export interface UnfinishedWrite {
  immutable: boolean;
  repoId: RepoId;
  /** Contents that moving writes may have put there. It is not known which of them the registry has. */
  digests: Digest[];
}

/**
 * - `free`: the registry may be written. `ours` are contents that deliverd itself may have put there under a moving
 *   name: an immutable name may replace them.
 * - `stands`: the name already stands for this content.
 * - `taken`: this request may not have the name.
 * - `another-repos`: a moving name in a shared repository. Another repo moves it and keeps it.
 */
export type Permission =
  | { kind: "free"; ours: Digest[] }
  | { kind: "stands" }
  | { kind: "taken" | "another-repos"; because: string };

/**
 * Who may write a name. An immutable name belongs to its first content for ever, and replaces a moving name even if
 * that came first. A moving name belongs to one repo.
 */
export function mayWrite(
  request: NameRequest,
  standing: StandingName | null,
  unfinished: UnfinishedWrite | null,
): Permission {
  if (standing?.immutable) {
    const isSame = standing.repoId === request.repoId && standing.digest === request.digest;
    // A moving name may stand on an immutable name of the same content, but a second artifact may not claim that
    // content.
    if (isSame && (!request.immutable || standing.artifact === request.artifact)) return { kind: "stands" };
    return {
      kind: "taken",
      because: `${said(request)} holds ${nameOf(standing)}: an immutable name is never moved`,
    };
  }
  if (request.immutable) {
    const begun = unfinished?.digests ?? [];
    return { kind: "free", ours: standing === null ? begun : [standing.digest, ...begun] };
  }
  if (standing !== null && standing.repoId !== request.repoId)
    return { kind: "another-repos", because: `${said(request)} is moved by another repo, which had it first` };
  if (unfinished?.immutable && unfinished.repoId === request.repoId)
    return { kind: "taken", because: `${said(request)} is reserved for an immutable name that is being published` };
  return { kind: "free", ours: [] };
}

function said({ registry, repository, tag }: ArtifactName): string {
  return `${repository}:${tag} in ${registry}`;
}

function nameOf({ artifact, digest }: StandingName): string {
  return `${artifact} ${digest.slice(0, "sha256:".length + 12)}`;
}
