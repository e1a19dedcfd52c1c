import type { LocationView, ReleaseView } from "../../../src/delivery/release-view.ts";
import type { ArtifactKind } from "../../../src/delivery/types.ts";
import type { Aws } from "../../../test/support/registries/aws/index.ts";

/** A registry that the demo delivers to. */
export interface Place {
  /** The key under `registries`, which the sample's pipeline names. */
  key: string;
  isReal: boolean;
  /** What answers there. */
  is: string;
  /** The entry under `registries`, without its type. */
  config: Record<string, unknown>;
  clients: Partial<Record<ArtifactKind, Client>>;
  /** What it was asked in a way that the real one would not take. */
  complaints?(): string[];
}

/** A program that is not deliverd's, as users of that registry have it. */
export interface Client {
  tool: string;
  /** Fetches a release into an empty folder. @returns sha256 digests by the file's name; of an image that of its manifest, as `manifest` */
  fetch(asked: Asked): Promise<Record<string, string>>;
}

export interface Asked {
  release: ReleaseView;
  location: LocationView;
  directory: string;
}

/** Starts something that ends with the demo. */
export type Start = <T>(starting: Promise<T>, end: (value: T) => Promise<unknown>) => Promise<T>;

export type Open = (start: Start, aws: Aws) => Promise<Place>;
