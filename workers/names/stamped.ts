import { releaseMetadata } from "../../src/delivery/metadata.ts";
import type { StampedContent } from "../../src/registries/registry.ts";
import { factsOfBuild } from "../commit/release-facts.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import type { Prepared } from "./prepared.ts";

/** Content as registries take it, with the metadata of its release. */
export function stamped(
  station: Pick<Station, "config">,
  work: Work,
  { artifact, content, versions }: Prepared,
): StampedContent {
  const metadata = releaseMetadata(factsOfBuild(station, work, versions[0] ?? ""));
  return { ...content, kind: artifact.kind, metadata };
}
