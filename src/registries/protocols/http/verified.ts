import { createHash } from "node:crypto";
import { pipeline, type Readable, Transform } from "node:stream";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Descriptor } from "../../../store/manifest.ts";

/**
 * Passes a stream on and verifies it: it fails at its end if size or digest differ.
 * @param from names the source in errors
 * @throws (by the stream) Refused `content-differs`; TransientError `registry-unreachable` if bytes are missing
 */
export function verified(
  source: Readable,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  from: string,
): Readable {
  const hash = createHash("sha256");
  let seen = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > size) return done(differs(from, digest));
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (seen < size)
        return done(
          new TransientError("registry-unreachable", `${from} sent only ${seen} of ${size} bytes of ${digest}`),
        );
      done(`sha256:${hash.digest("hex")}` === digest ? null : differs(from, digest));
    },
  });
  // Errors of both streams reach the reader through `check`.
  return pipeline(source, check, () => {});
}

export function differs(from: string, digest: string): Refused {
  return new Refused(
    "content-differs",
    `${from} sent bytes that are not ${digest}. Do not use that content, and find out who changed it.`,
  );
}
