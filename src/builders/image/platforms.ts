import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { TransientError, UserError } from "../../delivery/errors.ts";
import { imageIndex, isFor, type Platform, type PlatformImage } from "../../delivery/image-index.ts";
import type { Run, RunLog } from "../../run/run.ts";
import { OCI_INDEX } from "../../store/manifest.ts";
import type { Store } from "../../store/store.ts";
import type { BuildOrder, Built } from "../builder.ts";

/**
 * Builds an image for each platform of the order, one after the other, and freezes the index of them. Every engine can
 * do this, also one that builds for one platform at a time.
 * @param build builds and freezes the image of one platform
 * @throws UserError `platform-differs` if a base is not for the platform
 */
export async function buildPlatforms(
  store: Store,
  order: BuildOrder,
  run: Run,
  build: (order: BuildOrder, run: Run) => Promise<Built>,
): Promise<Built> {
  const images: PlatformImage[] = [];
  const bases = new Map<string, Built["bases"][number]>();
  for (const platform of order.artifact.platforms) {
    run.log.line(`For ${platform}:`);
    const built = await build(orderFor(order, platform), run);
    images.push(await imageOf(store, order, platform, built));
    for (const base of built.bases) bases.set(`${base.reference}@${base.digest}`, base);
  }
  const bytes = Buffer.from(imageIndex(images));
  const { digest } = await store.write(Readable.from([bytes]), { maxBytes: bytes.length });
  const { size } = await store.contentOf(digest);
  run.log.line(`Frozen as ${digest}, the index of ${images.length} platforms (${(size / 1e6).toFixed(1)} MB).`);
  return { digest, mediaType: OCI_INDEX, size, bases: [...bases.values()] };
}

/** The id of the whole build leads, so that what is left in the engine is known to be its own. */
function orderFor(order: BuildOrder, platform: string): BuildOrder {
  const id = `${order.id}-${platform.replace(/[^a-z0-9]+/g, "-")}`;
  return { ...order, id, artifact: { ...order.artifact, platforms: [platform] } };
}

/** An engine uses a base for another platform if the tag has no other, and says so only in a warning. */
async function imageOf(store: Store, order: BuildOrder, platform: string, { digest }: Built): Promise<PlatformImage> {
  const { mediaType, size, blobs } = await store.manifest(digest);
  const [config] = blobs;
  if (config === undefined) throw new TransientError("engine-failed", `The engine built no image for ${platform}.`);
  const found: Partial<Platform> = JSON.parse((await buffer(store.open(config.digest))).toString());
  if (isFor(found, platform)) return { platform, mediaType, digest, size };
  throw new UserError(
    "platform-differs",
    `artifacts.${order.artifact.name}.platforms: the image for ${platform} came out as one for ` +
      `${found.os}/${found.architecture}: its base has no image for ${platform}. ` +
      "Name a base that has one, or remove the platform.",
  );
}

/** Warns of platforms whose programs the engine cannot run, which is often, but not always, a failure later. */
export function reportForeign(platforms: readonly string[], runs: readonly string[], log: RunLog): void {
  const foreign = platforms.filter((platform) => !runs.some((one) => one === platform));
  if (foreign.length === 0 || runs.length === 0) return;
  log.line(
    `The engine cannot run programs for ${foreign.join(", ")}: RUN steps need FROM --platform=$BUILDPLATFORM, or ` +
      "an emulator on the engine's machine (on Debian: apt install qemu-user-static binfmt-support).",
  );
}
