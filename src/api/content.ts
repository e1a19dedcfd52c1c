import { tmpdir } from "node:os";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";
import { Refused, TransientError } from "../delivery/errors.ts";
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
 * The bytes of a release, from a registry that holds them, verified on the way; an image as the tar of an OCI layout,
 * several files as a tar of them.
 * One range may be asked for (RFC 9110, section 14).
 */
export async function sendContent(
  sources: Sources,
  release: Release,
  request: Request,
  response: Response,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const { name, type } = attachmentOf(release);
  response.set({ "accept-ranges": "bytes", etag: `"${release.digest}"` });
  response.attachment(name);
  // After it: by itself it goes by the name's ending, which a build chose.
  response.set("content-type", type);
  const from = typeof request.query.registry === "string" ? request.query.registry : null;
  // The bytes are all that a HEAD leaves out: it must not fetch them.
  if (request.method === "HEAD") return void response.end();
  const content: Asked = { release, from, signal: gone.signal };
  const { range, "if-range": ifRange } = request.headers;
  // RFC 9110, 13.1.5: of another content than the one that the client has a part of, it wants the whole.
  const asked = ifRange === undefined || ifRange === response.get("etag") ? askedFor(range) : null;
  if (asked === null) await pullFromAny(sources, content, response);
  else await sendRange(sources, content, asked, response);
}

interface Asked {
  release: Release;
  /** The key of a registry; null: any. */
  from: string | null;
  signal: AbortSignal;
}

/** One file goes out as it is, all else as a tar. */
function attachmentOf(release: Release): { name: string; type: string } {
  const [file, ...others] = frozenOf(release).files ?? [];
  if (file !== undefined && others.length === 0) return { name: file.name, type: "application/octet-stream" };
  return { name: `${release.artifact}-${release.version}.tar`, type: "application/x-tar" };
}

/** Nothing is kept of what passes: of a tar, only the entries are fetched that lie in the range. */
async function sendRange(sources: Sources, content: Asked, asked: RangeOf, response: Response): Promise<void> {
  const part = new RangeFilter(
    (size) => requireRange(asked, size, response),
    ({ start, end }, size) => response.status(206).set("content-range", `bytes ${start}-${end}/${size}`),
  );
  const { files = [] } = frozenOf(content.release);
  if (files.length > 0) part.expect(files.length === 1 ? (files[0]?.size ?? 0) : await tarSize(files));
  // No length is told: so the answer ends only once all of what was fetched has proven to be what it should be.
  await Promise.all([pullFromAny(sources, content, part), pipeline(part, response, { signal: content.signal })]);
}

/** The first location that has it; another is tried only while nothing has been sent. */
async function pullFromAny(sources: Sources, { release, from, signal }: Asked, into: Writable): Promise<void> {
  const run = { log: { line: () => {}, write: () => {} }, signal, tmp: tmpdir(), clock: systemClock };
  let failure: unknown = new Problem(
    404,
    from === null ? "No registry holds the content of this release." : `${from} holds no content of this release.`,
  );
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
  // Another's failure, and told in words for people.
  if (failure instanceof TransientError || failure instanceof Refused) throw new Problem(502, failure.message);
  throw failure;
}

/** Null: beyond the content. */
type RangeOf = (size: number) => Range | null;

/** @throws Problem 416 */
function requireRange(asked: RangeOf, size: number, response: Response): Range {
  const range = asked(size);
  if (range !== null) return range;
  response.set("content-range", `bytes */${size}`);
  throw new Problem(416, `The content has ${size} bytes.`);
}

/**
 * Null: nothing that is understood as one range, so the whole is meant (RFC 9110, 14.2): another unit, no range at all, or
 * several, which a server need not send in parts.
 */
function askedFor(header = ""): RangeOf | null {
  const [, first = "", last = ""] = /^\s*bytes=\s*(\d*)-(\d*)\s*$/i.exec(header) ?? [];
  if (first === "" && last === "") return null;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  return (size) => {
    const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
    return start <= end ? { start, end } : null;
  };
}
