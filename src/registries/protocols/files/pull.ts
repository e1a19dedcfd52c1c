import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Refused } from "../../../delivery/errors.ts";
import { writeTar } from "../../../store/tar.ts";
import { openVerified, orTransient, placeOf } from "./read.ts";
import type { Shelf, Version } from "./shelf.ts";

/**
 * Streams one file as it is, or several as a tar. Each is verified as it passes. If one is wrong, the sink is destroyed
 * with the error before its end.
 */
export async function pullFiles(shelf: Shelf, version: Version, into: Writable, signal: AbortSignal): Promise<void> {
  await orTransient(shelf.label, version, signal, async () => {
    const [file, ...others] = version.files;
    if (file === undefined || others.length > 0) return pullTar(shelf, version, into, signal);
    await pipeline(await requireFile(shelf, file, version, signal), into, { signal });
  });
}

function pullTar(shelf: Shelf, version: Version, into: Writable, signal: AbortSignal): Promise<void> {
  const entries = version.files.map((file) => ({ ...file, bytes: () => requireFile(shelf, file, version, signal) }));
  return writeTar(into, signal, entries);
}

async function requireFile(shelf: Shelf, file: Version["files"][number], version: Version, signal: AbortSignal) {
  const source = await openVerified(shelf, file, version, signal);
  if (source !== null) return source;
  throw new Refused("content-gone", `${placeOf(shelf.label, version)} no longer has ${file.name}.`);
}
