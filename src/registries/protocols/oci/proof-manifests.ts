import { type Attachment, BUNDLE_TYPE, envelopeOf, type SignedStatement } from "../../../delivery/proof/attachment.ts";
import type { Digest } from "../../../delivery/types.ts";
import { digestOf } from "../../../store/digest.ts";
import { type Descriptor, OCI_MANIFEST } from "../../../store/manifest.ts";
import type { Referrer } from "./referrers-api.ts";

/** A blob that a manifest lists, with its bytes. */
export interface ProofBlob {
  digest: Digest;
  bytes: Buffer;
}

export interface ProofManifest {
  mediaType: string;
  digest: Digest;
  bytes: Buffer;
  blobs: ProofBlob[];
}

/** A manifest that refers to another one, and how a list of referrers describes it. */
export interface ReferrerManifest extends ProofManifest {
  descriptor: Referrer;
}

/** OCI image specification 1.1, "Guidance for an Empty Descriptor". */
const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";

/**
 * The referrer for one signed statement, as cosign writes it. A list of referrers has to repeat the artifact type and
 * the annotations: verifiers filter by them.
 */
export function referrerOf(
  { predicateType, bundle }: SignedStatement,
  { createdAt }: Pick<Attachment, "createdAt">,
  { mediaType, digest, size }: Descriptor,
): ReferrerManifest {
  const config = Buffer.from("{}");
  const layer = Buffer.from(bundle);
  const annotations = {
    "org.opencontainers.image.created": createdAt,
    "dev.sigstore.bundle.content": "dsse-envelope",
    "dev.sigstore.bundle.predicateType": predicateType,
  };
  const manifest = manifestOf({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: BUNDLE_TYPE },
    config: describe(EMPTY_TYPE, config),
    layers: [describe(BUNDLE_TYPE, layer)],
    subject: { mediaType, digest, size },
    annotations,
  });
  const descriptor = { ...describe(OCI_MANIFEST, manifest.bytes), artifactType: BUNDLE_TYPE, annotations };
  return { ...manifest, blobs: [blobOf(config), blobOf(layer)], descriptor };
}

/**
 * All statements in one manifest, for the tag `sha256-….att` where cosign before 2.6 looks. One write makes it, so that
 * it also works where tags cannot change.
 */
export function legacyManifestOf({ statements }: Pick<Attachment, "statements">): ProofManifest {
  const layers = statements.map(({ predicateType, bundle }) => ({
    predicateType,
    bytes: Buffer.from(JSON.stringify(envelopeOf(bundle))),
  }));
  const diffIds = layers.map(({ bytes }) => digestOf(bytes));
  const config = Buffer.from(
    JSON.stringify({ architecture: "", os: "", config: {}, rootfs: { type: "layers", diff_ids: diffIds } }),
  );
  const manifest = manifestOf({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map(({ predicateType, bytes }) => ({
      ...describe("application/vnd.dsse.envelope.v1+json", bytes),
      // cosign takes no layer without this key.
      annotations: { "dev.cosignproject.cosign/signature": "", predicateType },
    })),
  });
  return { ...manifest, blobs: [blobOf(config), ...layers.map(({ bytes }) => blobOf(bytes))] };
}

/** `sha256-<hex>`: OCI distribution specification 1.1, "Referrers Tag Schema". */
export function referrersTag(subject: Digest): string {
  return subject.replace(":", "-");
}

function manifestOf(document: object): Omit<ProofManifest, "blobs"> {
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
}

function describe(mediaType: string, bytes: Buffer): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function blobOf(bytes: Buffer): ProofBlob {
  return { digest: digestOf(bytes), bytes };
}
