import { createHash } from "node:crypto";
import type { Frozen } from "../frozen.ts";
import type { ArtifactKind, Sha } from "../types.ts";
import type { Evidence } from "./evidence.ts";
import type { DigestSet } from "./statement.ts";

/** What the statements about a release are made from. They are fixed when the release is recorded. */
export interface ProofFacts {
  artifact: string;
  kind: ArtifactKind;
  /** The first of the release's versions. */
  version: string;
  content: Pick<Frozen, "digest" | "files">;
  source: ProofSource;
  bases: { reference: string; digest: string }[];
  /** Null: the release was begun before deliverd kept evidence. */
  evidence: Evidence | null;
  /** This server's public URL, without a slash at its end. */
  publicUrl: string;
  /** Version of deliverd. */
  builtBy: string;
  deliveryId: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  finishedAt: string;
  log: { sha256: string; bytes: number } | null;
}

export interface ProofSource {
  /** Where people read the repo: the clone URL without `.git`. */
  repository: string;
  /** Full. */
  ref: string;
  sha: Sha;
  pipeline: PipelineFile | null;
}

/** What a delivery keeps for the proofs of its releases, from the point of no return on. */
export interface ProofNotes {
  evidence: Evidence;
  pipeline: PipelineFile | null;
}

/** The pipeline file at the commit. */
export interface PipelineFile {
  path: string;
  digest: DigestSet;
}

/** @param text the whole file */
export function pipelineFile(path: string, text: string): PipelineFile {
  const bytes = Buffer.from(text);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  // Git's id of a file: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  const gitBlob = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  return { path, digest: { gitBlob, sha256 } };
}

/** The path under `publicUrl` of the document that says what this builder is, and what its word is worth. */
const BUILDER_PATH = "/.well-known/deliverd/builder/v1";

export function builderId(publicUrl: string): string {
  return `${publicUrl}${BUILDER_PATH}`;
}
