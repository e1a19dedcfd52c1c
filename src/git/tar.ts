import { once } from "node:events";
import { PassThrough, type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";

/** Passes a tar on with only the wanted entries, their names without `base` (`""` or `folder/`). Breaks where the tar breaks. */
export function repack(archive: Readable, base: string, wanted: Set<string>): Readable {
  const extract = tar.extract();
  const pack = tar.pack();
  const out = new PassThrough();
  const left = new AbortController();
  out.once("close", () => {
    left.abort();
    archive.destroy();
  });
  const copy = async () => {
    await copyEntries(extract, pack, base, wanted, left.signal);
    pack.finalize();
  };
  // A streamx stream that nobody listens to throws its error at the process.
  pack.on("error", (error) => out.destroy(error));
  Promise.all([pipeline(archive, extract), copy()]).catch((error) => out.destroy(error));
  pack.pipe(out);
  return out;
}

async function copyEntries(
  extract: tar.Extract,
  pack: tar.Pack,
  base: string,
  wanted: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  for await (const entry of extract) {
    // The long names that git wrote there would override those without base.
    const header: tar.Header = { ...entry.header, pax: null };
    const path = header.name.replace(/\/$/, "");
    if (!path.startsWith(base) || !wanted.has(path)) {
      entry.resume();
      continue;
    }
    const copy = pack.entry({ ...header, name: header.name.slice(base.length) });
    copy.on("error", (error) => pack.destroy(error));
    for await (const chunk of entry) if (!copy.write(chunk)) await once(copy, "drain", { signal });
    copy.end(null);
  }
}

/** Passes bytes on and breaks at the first one over `max`. */
export function capBytes(max: number, tooMany: () => Error): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      if (passed > max) done(tooMany());
      else done(null, chunk);
    },
  });
}
