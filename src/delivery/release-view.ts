import type { Digest, Location, Release } from "./types.ts";

/** A release as the API and notices show it. */
export type ReleaseView = Omit<Release, "locations"> & { locations: LocationView[] };

export interface LocationView {
  registry: string;
  /** `<repository>:<tag>`. */
  name: string;
  digest: Digest;
  url: string;
  pull: string;
}

export function releaseView(release: Release): ReleaseView {
  return { ...release, locations: release.locations.map(locationView) };
}

function locationView({ registry, repository, tag, digest, url, pull }: Location): LocationView {
  return { registry, name: `${repository}:${tag}`, digest, url, pull };
}
