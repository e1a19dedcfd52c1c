import { createHash } from "node:crypto";
import { PassThrough, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";

/** A manifest larger than this is none. */
const MANIFEST_MAX = 4 * 1024 * 1024;

/**
 * Passes the tar of an OCI image layout (OCI image specification 1.1) on as it is, and fails at its end unless it holds
 * the manifest of this digest and whatever that lists, every blob being what its name says.
 */
export function verifiedLayout(digest: string): Transform {
  const copy = new PassThrough();
  const archive = extract();
  const reading = Promise.all([pipeline(copy, archive), readBlobs(archive)]).then(([, blobs]) => demand(digest, blobs));
  let failed: Error | null = null;
  // Told of at the next chunk, or at the end.
  reading.catch((error: Error) => {
    failed = error;
  });
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (failed !== null) return done(failed);
      if (copy.write(chunk)) done(null, chunk);
      else {
        const goOn = () => {
          copy.off("drain", goOn).off("close", goOn);
          done(failed, chunk);
        };
        copy.once("drain", goOn).once("close", goOn);
      }
    },
    flush(done) {
      copy.end();
      reading.then(() => done(), done);
    },
    destroy(error, done) {
      copy.destroy();
      done(error);
    },
  });
}

/** Each blob by its digest; the text of those that may be a manifest. @throws where one is not what its name says */
async function readBlobs(archive: ReturnType<typeof extract>): Promise<Map<string, string | null>> {
  const blobs = new Map<string, string | null>();
  for await (const entry of archive) {
    const { name, size = 0 } = entry.header;
    const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
    const hash = createHash("sha256");
    const kept: Buffer[] = [];
    for await (const chunk of entry as unknown as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (size <= MANIFEST_MAX) kept.push(chunk);
    }
    if (hex === undefined) continue;
    const found = hash.digest("hex");
    if (found !== hex) throw new Error(`a blob is sha256:${found}, and is called sha256:${hex}`);
    blobs.set(`sha256:${hex}`, size <= MANIFEST_MAX && kept[0]?.[0] === 0x7b ? Buffer.concat(kept).toString() : null);
  }
  return blobs;
}

interface Listed {
  manifests?: { digest: string }[];
  config?: { digest: string };
  layers?: { digest: string }[];
}

function demand(digest: string, blobs: Map<string, string | null>): void {
  const text = blobs.get(digest);
  if (text === undefined || text === null) throw new Error(`${digest} is not in it`);
  const { manifests = [], config, layers = [] } = JSON.parse(text) as Listed;
  for (const child of manifests) demand(child.digest, blobs);
  for (const blob of [...(config ? [config] : []), ...layers]) {
    if (!blobs.has(blob.digest)) throw new Error(`${blob.digest} is not in it`);
  }
}
