import { buffer } from "node:stream/consumers";
import { Refused } from "../delivery/errors.ts";
import { BUNDLE_TYPE } from "../delivery/proof/attachment.ts";
import type { Digest } from "../delivery/types.ts";
import { isDigest } from "../store/digest.ts";
import { RegistryClient } from "./protocols/oci/client.ts";
import type { Credentials } from "./protocols/oci/login.ts";
import { referrersTag } from "./protocols/oci/proof-manifests.ts";
import type { Referrer } from "./protocols/oci/referrers-api.ts";

/** An image in a registry, as a verifier names it. */
export interface ImageAddress {
  /** Of the registry's API. */
  url: URL;
  repository: string;
  /** A tag or a digest. */
  reference: string;
}

/** What a registry has beside an image. */
export interface ImageProofs {
  /** Of the image. A tag is looked up once: it may move. */
  digest: Digest;
  /** Signed statements: Sigstore bundles. */
  bundles: { from: string; text: string }[];
}

/** A verifier reads no more than this of a statement or of a list: anybody may put one there. */
const MAX_BUNDLE_BYTES = 10_000_000;
const MAX_BUNDLES = 50;

/**
 * Finds the signed statements about an image: by the registry's own list, and by the list under the tag
 * `sha256-…` where it has none.
 * @throws Refused `proof-image-missing`; as RegistryClient
 */
export async function readImageProofs(
  { url, repository, reference }: ImageAddress,
  credentials: Credentials | null,
  signal: AbortSignal,
): Promise<ImageProofs> {
  const client = new RegistryClient({ key: "of the image", url, credentials });
  const digest = isDigest(reference) ? reference : await resolve(client, repository, reference, signal);
  // Its bytes are hashed: a registry that holds others under this digest is found out.
  if ((await client.getManifest(repository, digest, signal)) === null) throw noImage(url, repository, reference);
  const listed = (await client.referrers.list(repository, digest, signal)) ?? [];
  const tagged = await client.referrers.readIndex(repository, referrersTag(digest), signal).catch(nullIfTaken);
  const all = [...listed, ...(tagged?.document.manifests ?? [])];
  const referrers = [...new Map(all.map((each) => [each.digest, each])).values()].filter(isBundle);
  const bundles = await Promise.all(
    referrers.slice(0, MAX_BUNDLES).map((each) => bundleOf(client, repository, each.digest, signal)),
  );
  return { digest, bundles: bundles.flatMap((bundle) => bundle ?? []) };
}

async function resolve(client: RegistryClient, repository: string, tag: string, signal: AbortSignal): Promise<Digest> {
  const manifest = await client.getManifest(repository, tag, signal);
  if (manifest === null) throw new Refused("proof-image-missing", `${client.label} has no ${repository}:${tag}.`);
  return manifest.digest;
}

function isBundle({ artifactType }: Referrer): boolean {
  return artifactType === undefined || artifactType === BUNDLE_TYPE;
}

async function bundleOf(
  client: RegistryClient,
  repository: string,
  digest: Digest,
  signal: AbortSignal,
): Promise<{ from: string; text: string } | null> {
  const manifest = await client.getManifest(repository, digest, signal);
  const layer = manifest?.blobs.find(({ mediaType }) => mediaType === BUNDLE_TYPE);
  if (layer === undefined || layer.size > MAX_BUNDLE_BYTES) return null;
  const text = (await buffer(await client.getBlob(repository, layer, signal))).toString();
  return { from: `${repository}@${digest}`, text };
}

function noImage(url: URL, repository: string, reference: string): Refused {
  return new Refused("proof-image-missing", `${url.host} has no ${repository}@${reference}.`);
}

function nullIfTaken(error: unknown): null {
  if (error instanceof Refused) return null;
  throw error;
}
