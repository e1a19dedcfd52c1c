import { tmpdir } from "node:os";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";
import { didYouMean } from "../delivery/did-you-mean.ts";
import { Refused, TransientError } from "../delivery/errors.ts";
import { quoted } from "../delivery/printable.ts";
import { frozenOf } from "../ledger/frozen-columns.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { locationsOfRelease } from "../ledger/locations.ts";
import type { Release } from "../ledger/releases.ts";
import { Problem } from "../receiver/problem.ts";
import type { Registry } from "../registries/registry.ts";
import { systemClock } from "../run/clock.ts";
import { type Range, RangeFilter } from "../store/range-filter.ts";
import { tarSize } from "../store/tar.ts";

interface Sources {
  ledger: Ledger;
  registries: Map<string, Registry>;
}

/**
 * Sends the bytes of a release from a registry that has them, and verifies them on the way. One file is sent as it is,
 * several files as a tar, an image as the tar of an OCI layout. Supports one range (RFC 9110, section 14).
 */
export async function sendContent(
  sources: Sources,
  release: Release,
  request: Request,
  response: Response,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const from = typeof request.query.registry === "string" ? request.query.registry : null;
  if (from !== null) await requireHolder(sources, release, from);
  const { name, type } = attachmentOf(release);
  response.set({ "accept-ranges": "bytes", etag: `"${release.digest}"` });
  response.attachment(name);
  // This must come after attachment(), which sets the type by the file's extension, and a build chooses that.
  response.set("content-type", type);
  // A HEAD request must not fetch the bytes.
  if (request.method === "HEAD") return void response.end();
  const content: ContentRequest = { release, from, signal: gone.signal };
  const { range, "if-range": ifRange } = request.headers;
  // RFC 9110, 13.1.5: if the client has a part of another content, it gets the whole content.
  const rangeOf = ifRange === undefined || ifRange === response.get("etag") ? parseRange(range) : null;
  if (rangeOf === null) await pullFromAny(sources, content, response);
  else await sendRange(sources, content, rangeOf, response);
}

/** @throws Problem 404 that names the registries which hold the release, if this one does not */
async function requireHolder({ ledger, registries }: Sources, release: Release, asked: string): Promise<void> {
  const stored = (await locationsOfRelease(ledger, release)).map(({ registry }) => registry);
  const holders = [...new Set(stored)].filter((key) => registries.has(key));
  if (holders.includes(asked)) return;
  const what = registries.has(asked)
    ? `The registry ${quoted(asked)} holds no content of ${release.artifact} ${release.version}.`
    : `No registry is called ${quoted(asked)}${didYouMean(asked, [...registries.keys()])}.`;
  const where = holders.length === 0 ? "No registry of the server holds it." : `It is in: ${holders.join(", ")}.`;
  throw new Problem(404, `${what} ${where}`);
}

interface ContentRequest {
  release: Release;
  /** The key of a registry; null: any. */
  from: string | null;
  signal: AbortSignal;
}

/** One file is sent under its name, everything else as a tar. */
function attachmentOf(release: Release): { name: string; type: string } {
  const [file, ...others] = frozenOf(release).files ?? [];
  if (file !== undefined && others.length === 0) return { name: file.name, type: "application/octet-stream" };
  return { name: `${release.artifact}-${release.version}.tar`, type: "application/x-tar" };
}

/** Buffers nothing. Of a tar, only the entries in the range are fetched. */
async function sendRange(
  sources: Sources,
  content: ContentRequest,
  rangeOf: RangeOf,
  response: Response,
): Promise<void> {
  const part = new RangeFilter(
    (size) => requireRange(rangeOf, size, response),
    ({ start, end }, size) => response.status(206).set("content-range", `bytes ${start}-${end}/${size}`),
  );
  const { files = [] } = frozenOf(content.release);
  if (files.length > 0) part.expect(files.length === 1 ? (files[0]?.size ?? 0) : await tarSize(files));
  // The response has no content-length: so it ends only after everything that was fetched has been verified.
  await Promise.all([pullFromAny(sources, content, part), pipeline(part, response, { signal: content.signal })]);
}

/** Pulls from the first location that works. After the first byte was sent, no other location is tried. */
async function pullFromAny(sources: Sources, { release, from, signal }: ContentRequest, into: Writable): Promise<void> {
  const run = { log: { line: () => {}, write: () => {} }, signal, tmp: tmpdir(), clock: systemClock };
  let failure: unknown = new Problem(404, "No registry holds the content of this release.");
  for (const stored of await locationsOfRelease(sources.ledger, release)) {
    const registry = sources.registries.get(stored.registry);
    if (registry === undefined || (from !== null && stored.registry !== from)) continue;
    try {
      await registry.pull(stored, into, run, frozenOf(release));
      return;
    } catch (error) {
      failure = error;
      if (signal.aborted || into.destroyed || error instanceof Problem) break;
    }
  }
  // The registry failed, not deliverd, and the message is written for people.
  if (failure instanceof TransientError || failure instanceof Refused) throw new Problem(502, failure.message);
  throw failure;
}

/** The range to send of a content of this size; null if it lies beyond the end. */
type RangeOf = (size: number) => Range | null;

/** @throws Problem 416 if the range lies beyond the end */
function requireRange(rangeOf: RangeOf, size: number, response: Response): Range {
  const range = rangeOf(size);
  if (range !== null) return range;
  response.set("content-range", `bytes */${size}`);
  throw new Problem(416, `The content has ${size} bytes.`);
}

/**
 * Parses a Range header. Null means the whole content (RFC 9110, 14.2): there is no range, its unit is not bytes, or
 * there are several ranges, which a server need not support.
 */
function parseRange(header = ""): RangeOf | null {
  const [, first = "", last = ""] = /^\s*bytes=\s*(\d*)-(\d*)\s*$/i.exec(header) ?? [];
  if (first === "" && last === "") return null;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  return (size) => {
    const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
    return start <= end ? { start, end } : null;
  };
}
