import { Readable, Transform, type TransformCallback } from "node:stream";
import type { Body } from "../../../http/body.ts";
import type { NpmPackage } from "../../../packages/npm-package.ts";

export interface Publication {
  pack: NpmPackage;
  /** The name under which the package is published. */
  name: string;
  version: string;
  tag: string;
  /** The commit's id, which npm puts into this field. Undefined: the value in package.json is kept. */
  gitHead: string | undefined;
  sha1: Buffer;
  sha512: Buffer;
  /** URL at which the registry will serve the tarball. */
  tarball: string;
  body: Body;
}

/**
 * The document that publishes one version, as the npm client writes it. It contains the tarball in base64, which is
 * encoded while it is sent, so that the document is never held in memory as a whole.
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

/** Encodes three bytes at a time to four characters. The other bytes wait for the next chunk. */
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
