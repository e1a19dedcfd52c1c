import { createHash } from "node:crypto";
import { pipeline, type Readable, Transform } from "node:stream";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Descriptor } from "../../../store/manifest.ts";

/** The same stream, which fails at its end unless its bytes are the ones named. @param from for errors */
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
          new TransientError("registry-unreachable", `${from} broke off ${digest} after ${seen} of ${size} bytes`),
        );
      done(`sha256:${hash.digest("hex")}` === digest ? null : differs(from, digest));
    },
  });
  // What fails on either side reaches the reader through `check`.
  return pipeline(source, check, () => {});
}

export function differs(from: string, digest: string): Refused {
  return new Refused(
    "content-differs",
    `${from} gave other bytes than ${digest}: do not use what it holds, and look into it.`,
  );
}
