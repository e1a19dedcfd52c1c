import type { Frozen } from "../frozen.ts";
import type { Digest } from "../types.ts";

/** https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
/** SLSA 1.0 to 1.2 share this type: https://slsa.dev/spec/v1.2/build-provenance */
export const PROVENANCE_TYPE = "https://slsa.dev/provenance/v1";
/** https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md */
export const TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1";

/** Digests by algorithm, in lower-case hex: `sha256`, `gitCommit`, `gitBlob`. */
export type DigestSet = Record<string, string>;

export interface Subject {
  name: string;
  digest: DigestSet;
}

/** https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md */
export interface ResourceDescriptor {
  name?: string;
  uri?: string;
  digest?: DigestSet;
  downloadLocation?: string;
  annotations?: Record<string, unknown>;
}

/** A claim about subjects, which are known by their digests alone. */
export interface Statement<Predicate = unknown> {
  _type: typeof STATEMENT_TYPE;
  subject: Subject[];
  predicateType: string;
  predicate: Predicate;
}

/**
 * What a statement about a release is about: the manifest of an image, else each file. A subject has the artifact's or
 * the file's own name and no registry's, so that it stays true of a copy elsewhere.
 */
export function subjectsOf(artifact: string, { digest, files = [] }: Pick<Frozen, "digest" | "files">): Subject[] {
  if (files.length === 0) return [{ name: artifact, digest: digestSet(digest) }];
  return files.map((file) => ({ name: file.name, digest: digestSet(file.digest) }));
}

export function digestSet(digest: Digest): DigestSet {
  return { sha256: digest.slice("sha256:".length) };
}

/** The bytes that are signed: the same statement always gives the same bytes. */
export function statementBytes(statement: Statement): Buffer {
  return Buffer.from(JSON.stringify(statement));
}
