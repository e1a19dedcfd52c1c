import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { Digest, FrozenFile } from "../../../delivery/types.ts";
import { place, withoutAnswer } from "../http/failures.ts";
import { verified } from "../http/verified.ts";
import type { ExistingFile, Shelf, Version } from "./shelf.ts";

/** The digest of what stands there, by its bytes. */
export async function readDigest(
  { label }: Shelf,
  standing: ExistingFile,
  version: Version,
  signal: AbortSignal,
): Promise<Digest> {
  const hash = createHash("sha256");
  await orTransient(label, version, signal, async () => {
    for await (const chunk of await standing.open()) hash.update(chunk);
  });
  return `sha256:${hash.digest("hex")}`;
}

/** A stream of a file that fails at its end unless its bytes are the ones named. Null: nothing stands there. */
export async function openVerified(
  shelf: Shelf,
  file: FrozenFile,
  version: Version,
  signal: AbortSignal,
): Promise<Readable | null> {
  const standing = await shelf.look(file, version, signal);
  if (standing === null) return null;
  return verified(await standing.open(), file, placeOf(shelf.label, version));
}

/** What breaks while bytes come may pass. */
export async function orTransient<T>(
  label: string,
  version: Version,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withoutAnswer({ registry: label, repository: version.name.repository, to: "read a file" }, error, signal);
  }
}

export function placeOf(label: string, { name }: Version): string {
  return place({ registry: label, repository: name.repository });
}
