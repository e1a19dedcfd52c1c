import { Readable, Transform, type TransformCallback } from "node:stream";
import type { Body } from "../../../http/body.ts";
import type { NpmPackage } from "../../../packages/npm-package.ts";

export interface Publication {
  pack: NpmPackage;
  /** The name it is published under, and the version. */
  name: string;
  version: string;
  tag: string;
  /** The commit's id, in the field where npm puts it; undefined: what the package.json says, if anything. */
  gitHead: string | undefined;
  sha1: Buffer;
  sha512: Buffer;
  /** Where the registry will serve it. */
  tarball: string;
  body: Body;
}

/**
 * The document that publishes one version, as the npm client writes it. The tarball stands in it as base64, which is made
 * while it is sent: the document is never held as a whole.
 */
export function publicationBody(publication: Publication): Body {
  const { name, version, tag, body } = publication;
  const { manifest, readme } = publication.pack;
  const commit = publication.gitHead === undefined ? {} : { gitHead: publication.gitHead };
  const mark = "\u0000";
  const dist = {
    integrity: `sha512-${publication.sha512.toString("base64")}`,
    shasum: publication.sha1.toString("hex"),
    tarball: publication.tarball,
  };
  const document = JSON.stringify({
    _id: name,
    name,
    description: manifest.description,
    "dist-tags": { [tag]: version },
    versions: { [version]: { ...manifest, ...commit, name, version, readme, _id: `${name}@${version}`, dist } },
    access: manifest.publishConfig?.access ?? null,
    _attachments: {
      [`${name}-${version}.tgz`]: { content_type: "application/octet-stream", data: mark, length: body.length },
    },
  });
  const cut = document.lastIndexOf(JSON.stringify(mark).slice(1, -1));
  const before = Buffer.from(document.slice(0, cut));
  const after = Buffer.from(document.slice(cut + JSON.stringify(mark).length - 2));
  return {
    length: before.length + 4 * Math.ceil(body.length / 3) + after.length,
    open: () => Readable.from(parts(before, body, after), { objectMode: false }),
  };
}

async function* parts(before: Buffer, body: Body, after: Buffer) {
  yield before;
  const source = body.open();
  const encoder = new Base64();
  source.once("error", (error) => encoder.destroy(error));
  try {
    yield* source.pipe(encoder);
  } finally {
    source.destroy();
  }
  yield after;
}

/** Three bytes at a time are four characters: what is over waits for the next chunk. */
class Base64 extends Transform {
  #rest: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const whole = bytes.length - (bytes.length % 3);
    this.#rest = bytes.subarray(whole);
    done(null, bytes.toString("base64", 0, whole));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#rest.toString("base64"));
  }
}
