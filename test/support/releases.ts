import { createHash } from "node:crypto";
import type { Frozen } from "../../src/builders/builder.ts";
import type { ArtifactKind, FrozenFile } from "../../src/delivery/types.ts";
import { ensureDelivery } from "../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../src/ledger/leases.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { recordLocation } from "../../src/ledger/locations.ts";
import { recordRelease } from "../../src/ledger/releases.ts";
import { digestOfFiles } from "../../src/store/files.ts";
import { REPO } from "./ledgers.ts";

/** Content of files as it is frozen. */
export function frozenFiles(files: FrozenFile[], more: Partial<Frozen> = {}): Frozen {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return { digest: digestOfFiles(files), mediaType: "application/octet-stream", size, files, ...more };
}

/** Records 1.0.0 of an artifact of acme/api, with one location in each of the registries. */
export async function released(
  ledger: Ledger,
  artifact: string,
  kind: ArtifactKind,
  content: Frozen,
  registries = ["files"],
): Promise<string> {
  // A commit of its own: a delivery has one lease at a time.
  const sha = createHash("sha1").update(artifact).digest("hex");
  const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
  const { id: deliveryId } = await ensureDelivery(ledger, REPO, sha, facts);
  const lease = await claimDelivery(ledger, deliveryId, "tests", 60_000);
  if (lease === null) throw new Error("the delivery is another's");
  const common = { repoId: REPO, artifact, deliveryId };
  const version = { versions: ["1.0.0"], tagged: ["1.0.0"], ref: "refs/heads/main", committedAt: 5, metadata: {} };
  await ledger.transaction((tx) =>
    recordRelease(tx, { ...common, ...version, ...content, sha, kind, fence: lease.fence }),
  );
  for (const registry of registries) {
    await recordLocation(ledger, {
      ...{ ...common, registry, repository: `acme/api/${artifact}`, tag: "1.0.0", immutable: true },
      ...{ digest: content.digest, url: `https://${registry}.example.com/`, pull: `fetch it from ${registry}` },
    });
  }
  return deliveryId;
}
