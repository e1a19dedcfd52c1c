import { movingNames } from "../../src/delivery/names.ts";
import type { Destination } from "../../src/delivery/types.ts";
import { span } from "../../src/observe/span.ts";
import type { StampedContent } from "../../src/registries/registry.ts";
import type { Run } from "../../src/run/run.ts";
import { nameFacts, namesFor } from "../commit/immutable-names.ts";
import { ownerOfRepository } from "../commit/names-in-ledger.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import type { Prepared, Unchanged } from "./prepared.ts";
import { stamped } from "./stamped.ts";

/** What an upload uses of the station. */
export type UploadParts = Pick<Station, "config" | "ledger" | "registries" | "log">;

/** The repositories of one destination in which a content will have a name. */
export function repositoriesOf(
  station: Pick<Station, "config">,
  work: Work,
  each: Prepared,
  to: Destination,
): string[] {
  const moving = each.artifact.kind === "image" ? movingNames(to, nameFacts(work, each)) : [];
  return [...new Set([...namesFor(station, work, each, each.content, to), ...moving].map((name) => name.repository))];
}

/** Sends content to a repository of a destination, under no name. Does nothing where the registry cannot take that. */
export async function sendInto(
  { registries }: Pick<Station, "registries">,
  { to: registry }: Destination,
  repository: string,
  content: StampedContent,
  run: Run,
): Promise<void> {
  const nameless = { registry, repository, tag: content.digest, immutable: true };
  await span("upload", { registry, repository }, async () =>
    registries.get(registry)?.upload?.(content, nameless, run),
  );
}

/**
 * Sends images before it is known whether they may have names: without a name, nothing can be seen. Only to
 * repositories in which this repo has published before, since a first name there claims them. What fails here is sent
 * again where the names are written, and fails there.
 */
export async function uploadAhead(
  station: UploadParts,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  run: Run,
): Promise<void> {
  const uploads = prepared.flatMap((each) =>
    each.kind === "unchanged" || each.artifact.kind !== "image"
      ? []
      : each.artifact.publish.flatMap((to) =>
          repositoriesOf(station, work, each, to).map(async (repository) => {
            const owner = await ownerOfRepository(station, to.to, repository, each.artifact.kind);
            if (owner !== work.repo.id) return;
            await sendInto(station, to, repository, stamped(station, work, each), run);
          }),
        ),
  );
  for (const end of await Promise.allSettled(uploads)) {
    if (end.status === "rejected" && !run.signal.aborted)
      station.log.info("content could not be sent ahead of its names", {
        delivery: work.delivery.id,
        error: end.reason,
      });
  }
}
