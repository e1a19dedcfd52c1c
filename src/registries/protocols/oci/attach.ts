import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Attachment } from "../../../delivery/proof/attachment.ts";
import type { Digest } from "../../../delivery/types.ts";
import { bodyOf } from "../../../http/body.ts";
import { failpoint } from "../../../observe/failpoints.ts";
import type { Run } from "../../../run/run.ts";
import { OCI_INDEX } from "../../../store/manifest.ts";
import type { AttachOptions } from "../../registry.ts";
import type { RegistryClient } from "./client.ts";
import {
  legacyManifestOf,
  type ProofManifest,
  type ReferrerManifest,
  referrerOf,
  referrersTag,
} from "./proof-manifests.ts";
import type { Referrer } from "./referrers-api.ts";

/** Another writer may change the list between our read and our write. */
const INDEX_TRIES = 4;

/**
 * Puts each signed statement into the repository as a referrer of the image. Where the registry does not list it by its
 * API, the list under the tag `sha256-…` gets it too.
 * @returns how it stands there, for people
 * @throws TransientError `proof-not-shown` if the registry does not show what it took
 */
export async function attachToImage(
  client: RegistryClient,
  repository: string,
  proof: Attachment,
  { legacyTag }: AttachOptions,
  run: Run,
): Promise<string> {
  const subject = await client.getManifest(repository, proof.digest, run.signal);
  if (subject === null)
    throw new TransientError("content-gone", `${client.label}: ${repository} no longer has ${proof.digest}`);
  const referrers = proof.statements.map((statement) => referrerOf(statement, proof, subject));
  for (const referrer of referrers) {
    await put(client, repository, referrer.digest, referrer, run);
    failpoint("proof.referrer-put");
  }
  const listed = await client.referrers.list(repository, proof.digest, run.signal);
  const isListed = listed !== null && hasAll(listed, referrers);
  if (!isListed) await listUnderTag(client, repository, proof.digest, referrers, run);
  const how = isListed ? "referrers" : `referrers, listed under ${referrersTag(proof.digest)}`;
  if (!legacyTag) return how;
  return `${how}; ${await putLegacy(client, repository, proof, run)}`;
}

/** Adds our referrers to the list, and reads it back. What others wrote into it stays. */
async function listUnderTag(
  client: RegistryClient,
  repository: string,
  subject: Digest,
  referrers: readonly ReferrerManifest[],
  { signal }: Run,
): Promise<void> {
  const tag = referrersTag(subject);
  let others = new Map<Digest, Referrer>();
  for (let tries = 0; tries < INDEX_TRIES; tries++) {
    const stands = await client.referrers.readIndex(repository, tag, signal);
    const entries = stands?.document.manifests ?? [];
    // A stale read of the registry must not drop what an earlier read of ours has seen.
    others = new Map([...others, ...entries.map((entry) => [entry.digest, entry] as const)]);
    if (hasAll(entries, referrers) && [...others.keys()].every((digest) => has(entries, digest))) return;
    const ours = referrers.map(({ descriptor }) => [descriptor.digest, descriptor] as const);
    const manifests = [...new Map([...others, ...ours]).values()];
    const document = { ...(stands?.document ?? { schemaVersion: 2 as const, mediaType: OCI_INDEX }), manifests };
    try {
      await client.referrers.putIndex(repository, tag, { document, etag: stands?.etag ?? null }, signal);
      failpoint("proof.index-put");
    } catch (error) {
      const isLast = tries === INDEX_TRIES - 1;
      if (error instanceof TransientError && error.code === "proof-index-changed" && !isLast) continue;
      // A registry refuses a list that names a manifest which is gone.
      const gone = isAboutContent(error) ? await goneOf(client, repository, [...others.keys()], signal) : [];
      if (gone.length === 0) throw error;
      for (const digest of gone) others.delete(digest);
      await client.referrers.putIndex(
        repository,
        tag,
        {
          document: { ...document, manifests: manifests.filter(({ digest }) => !gone.includes(digest)) },
          etag: stands?.etag ?? null,
        },
        signal,
      );
    }
  }
  throw new TransientError(
    "proof-not-shown",
    `${client.label}: ${repository}:${tag} was written, and does not list the proofs of ${subject} yet`,
  );
}

function isAboutContent(error: unknown): boolean {
  return error instanceof Refused || (error instanceof TransientError && error.code === "registry-upload-lost");
}

async function goneOf(
  client: RegistryClient,
  repository: string,
  digests: readonly Digest[],
  signal: AbortSignal,
): Promise<Digest[]> {
  const gone: Digest[] = [];
  for (const digest of digests)
    if ((await client.lookUp(repository, digest, signal)).kind === "nothing") gone.push(digest);
  return gone;
}

/** Where another tool has written its own there, it stays. */
async function putLegacy(client: RegistryClient, repository: string, proof: Attachment, run: Run): Promise<string> {
  const tag = `${referrersTag(proof.digest)}.att`;
  const manifest = legacyManifestOf(proof);
  const look = await client.lookUp(repository, tag, run.signal);
  if (look.kind === "denied") throw look.why;
  if (look.kind === "stands" && look.digest !== manifest.digest) return `${tag} is another tool's, and stays`;
  if (look.kind === "nothing") await put(client, repository, tag, manifest, run);
  return tag;
}

async function put(
  client: RegistryClient,
  repository: string,
  reference: string,
  manifest: ProofManifest,
  { signal }: Run,
): Promise<void> {
  for (const { digest, bytes } of manifest.blobs) {
    if ((await client.hasBlob(repository, digest, signal)) === "there") continue;
    await client.uploads.put(repository, digest, bodyOf(bytes), signal, null);
  }
  const { mediaType, digest, bytes } = manifest;
  const document = { mediaType, digest, bytes, size: bytes.length, blobs: [], children: [] };
  await client.putManifest(repository, reference, document, signal);
}

function hasAll(listed: readonly Referrer[], referrers: readonly ReferrerManifest[]): boolean {
  return referrers.every(({ digest }) => has(listed, digest));
}

function has(listed: readonly Referrer[], digest: Digest): boolean {
  return listed.some((each) => each.digest === digest);
}
