import { mapLimit } from "../../../async/map-limit.ts";
import { TransientError } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import type { Descriptor } from "../../../store/manifest.ts";
import type { Content, Store } from "../../../store/store.ts";
import { mayStand } from "../http/refusals.ts";
import { megabytes, progressOf } from "../progress.ts";
import type { RegistryClient } from "./client.ts";

export interface Push {
  client: RegistryClient;
  store: Store;
  content: Content;
  repository: string;
  /** A repository of the same registry that has the blob. Null: none is known, or it must not be used. */
  holderOf: (digest: Digest) => Promise<string | null>;
  /** The start of each line in the log. */
  label: string;
  /** The content was sent here before, and the log says so: what is there already is not logged again. */
  isRepeat: boolean;
  run: Run;
}

/** Like Docker. */
const BLOBS_AT_ONCE = 5;

/** Failures of one upload only. The registry did not ask us to wait, so the upload is tried again at once. */
const RETRIED_AT_ONCE = new Set(["registry-unreachable", "registry-upload-lost"]);

/** Sends the blobs that the registry lacks, and the manifests that an index lists. It writes no name. */
export async function pushContent(push: Push): Promise<void> {
  const { client, content, repository, run } = push;
  // After a failure, mapLimit still finishes what is under way, so that the next try finds it.
  await mapLimit(content.blobs, BLOBS_AT_ONCE, (blob) => pushBlob(push, blob));
  for (const manifest of content.manifests.slice(0, -1)) {
    const { kind } = await client.lookUp(repository, manifest.digest, run.signal);
    if (kind !== "stands") await client.putManifest(repository, manifest.digest, manifest, run.signal);
  }
}

async function pushBlob(push: Push, { digest, size }: Descriptor): Promise<void> {
  const { client, store, repository, holderOf, label, isRepeat, run } = push;
  const short = `${digest.slice(0, "sha256:".length + 12)}…`;
  const progress = progressOf(`${label}: pushing ${short}`, size, run);
  const body = { length: size, open: () => progress(store.open(digest)) };
  for (let attempt = 1; ; attempt++) {
    if ((await client.hasBlob(repository, digest, run.signal)) === "there") {
      if (!isRepeat) run.log.line(`${label}: ${short} is there already`);
      return;
    }
    if (!(await store.has(digest))) throw new TransientError("content-gone", `The store no longer has ${digest}.`);
    try {
      const how = await client.uploads.put(repository, digest, body, run.signal, await holderOf(digest));
      const said = how === "sent" ? `pushed, ${megabytes(size)} MB` : "is there already, in another repository";
      return run.log.line(`${label}: ${short} ${said}`);
    } catch (error) {
      // It may have been refused because it already exists. The next look shows that.
      if (mayStand(error) && (await client.hasBlob(repository, digest, run.signal)) === "there") continue;
      if (!(error instanceof TransientError) || !RETRIED_AT_ONCE.has(error.code) || attempt >= 2) throw error;
      run.log.line(`${label}: ${short} was cut off: starting again`);
    }
  }
}
