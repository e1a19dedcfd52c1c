import type { Digest } from "../types.ts";

/** One signed statement, as it goes to registries. */
export interface SignedStatement {
  predicateType: string;
  /** A Sigstore bundle: JSON. It is signed once, and the same bytes go everywhere. */
  bundle: string;
}

/** The signed statements of one release. */
export interface Attachment {
  /** What they are about: the digest of the release. */
  digest: Digest;
  statements: readonly SignedStatement[];
  /** ISO 8601, UTC: when the release was recorded. Not the time of a try, so that each try gives the same bytes. */
  createdAt: string;
}

/** https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto */
export const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** The DSSE envelope inside a bundle. @throws SyntaxError, TypeError if it is no bundle of ours */
export function envelopeOf(bundle: string): unknown {
  const { dsseEnvelope } = JSON.parse(bundle) as { dsseEnvelope?: unknown };
  if (dsseEnvelope === undefined) throw new TypeError("a bundle without an envelope");
  return dsseEnvelope;
}

/**
 * The file beside a file: JSON Lines, with a DSSE envelope on each line
 * (https://github.com/in-toto/attestation/blob/main/spec/v1/bundle.md).
 */
export const SIDECAR_SUFFIX = ".intoto.jsonl";

export function envelopeLines({ statements }: Pick<Attachment, "statements">): string {
  return statements.map(({ bundle }) => `${JSON.stringify(envelopeOf(bundle))}\n`).join("");
}
