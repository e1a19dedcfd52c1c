import type { Base } from "../../delivery/dockerfile/index.ts";
import type { BaseImage } from "../builder.ts";
import type { Trace } from "../buildkit/trace.ts";
import { parseReference } from "../engine/reference.ts";

/** `[build 1/3] FROM docker.io/library/node:24@sha256:…`: BuildKit names a base with the digest that it found. */
const FROM = /\bFROM (\S+)@(sha256:[0-9a-f]{64})$/;

/** Learns from the progress of a build which digests its base images had. */
export class BaseDigests {
  readonly #found = new Map<string, string>();

  hear({ vertexes }: Trace): void {
    for (const { name } of vertexes) {
      const [, reference, digest] = FROM.exec(name) ?? [];
      if (reference !== undefined && digest !== undefined) this.#found.set(keyOf(reference), digest);
    }
  }

  /** Of the images that a Dockerfile names, those that were used. */
  of(images: readonly Base[]): BaseImage[] {
    return images.flatMap(({ reference }) => {
      const digest = parseReference(reference).digest ?? this.#found.get(keyOf(reference));
      return digest ? [{ reference, digest }] : [];
    });
  }
}

function keyOf(reference: string): string {
  const { name, tag } = parseReference(reference);
  return `${name}:${tag}`;
}
