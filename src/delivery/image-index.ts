import type { Digest } from "./types.ts";

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** An image, and the platform that it is for. */
export interface PlatformImage {
  /** As in `linux/arm64`. */
  platform: string;
  /** Of its manifest. */
  mediaType: string;
  digest: Digest;
  /** Bytes of its manifest. */
  size: number;
}

/** A platform as image configurations and indexes write it. */
export interface Platform {
  architecture: string;
  os: string;
  variant?: string;
}

/**
 * The index of images for several platforms, as OCI image specification 1.1 describes it. The same images give the same
 * text, in whatever order they were built.
 */
export function imageIndex(images: readonly PlatformImage[]): string {
  const sorted = images.toSorted((a, b) => (a.platform < b.platform ? -1 : 1));
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: sorted.map(({ platform, mediaType, digest, size }) => ({
      ...{ mediaType, digest, size },
      platform: readPlatform(platform),
    })),
  });
}

/** Reads `linux/arm64` or `linux/arm/v6`. Each platform has one form: 32-bit ARM always has a variant, and v8 none. */
export function readPlatform(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  const shown =
    architecture === "arm" ? (variant ?? "v7") : architecture === "arm64" && variant === "v8" ? "" : variant;
  return { architecture, os, ...(shown ? { variant: shown } : {}) };
}

/** Whether an image with this configuration is one for the platform. The variant of a configuration may be left out. */
export function isFor(configuration: Partial<Platform>, platform: string): boolean {
  const wanted = readPlatform(platform);
  const { os, architecture, variant } = configuration;
  return (
    os === wanted.os && architecture === wanted.architecture && (!variant || isSame(wanted, { ...wanted, variant }))
  );
}

function isSame(one: Platform, other: Platform): boolean {
  const [a, b] = [one, other].map(({ os, architecture, variant }) =>
    JSON.stringify(readPlatform([os, architecture, ...(variant ? [variant] : [])].join("/"))),
  );
  return a === b;
}
