import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { Digest, FrozenFile } from "../../../delivery/types.ts";
import { place, withoutAnswer } from "../http/failures.ts";
import { verified } from "../http/verified.ts";
import type { ExistingFile, Shelf, Version } from "./shelf.ts";

/** Reads an existing file, and computes its digest. */
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

/** Streams a file, and fails at its end unless the bytes have the expected digest. Null: there is no such file. */
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

/** Does the work. A connection that breaks while bytes come is a transient error. */
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
