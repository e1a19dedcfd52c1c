import { posix } from "node:path";
import * as z from "zod";
import { globs, text } from "./scalars.ts";

/*
 * The settings that artifacts of a pipeline share, whatever builder makes them.
 */

export const name = z
  .string({ error: "the artifact's name" })
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
    error: "a name of lower-case letters, digits and . _ -, beginning with a letter or digit, at most 63 characters",
  })
  .describe("The name of the artifact, unique in this file: lower-case letters, digits and . _ -.");

/** Which kind of artifact it is. */
export const KIND = "What is made: image (from a Dockerfile), or npm, jar, wheel, file or ami (by commands).";

/** Where an artifact goes. */
export const PUBLISH = "Where the artifact is published, and under which names.";

export const paths = globs
  .default([])
  .describe("Globs of the files that concern this artifact. Left out: every commit gives a release of it.");

/** Of a repository or a tag. */
export const template = z
  .string({ error: "the template of a name in the registry, such as acme/api" })
  .min(1, { error: "the template of a name in the registry, such as acme/api" })
  .max(256, { error: "at most 256 characters" })
  .regex(/^[^\s\p{Cc}]+$/u, { error: "a template without spaces, such as {version}" });

export const registryKey = text
  .max(100, { error: "the key of a registry of the server" })
  .describe("The key of a registry in the server's configuration.");

export const argument = z
  .union([z.string(), z.number(), z.boolean()], { error: "a text" })
  .transform(String)
  .refine((value) => !value.includes("\0") && value.length <= 4096, { error: "a text of at most 4096 characters" });

export const argumentName = z.string().regex(/^(?!DELIVERD_|SOURCE_DATE_EPOCH$)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  error: "the name of a build argument; DELIVERD_… and SOURCE_DATE_EPOCH are set by deliverd itself",
});

const secretName = z.string().regex(/^(?!DELIVERD_)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  error: "the name of a secret that the server grants this repo, of letters, digits and _",
});

/** Names of secrets of the repo's entry in the server's configuration. */
export const secretNames = z
  .array(secretName, { error: "a list of names of secrets" })
  .max(50, { error: "at most 50" })
  .default([]);

/** A list of at least one item. @param noun what messages call an item */
export function listOf<T extends z.ZodType>(item: T, max: number, noun: string) {
  return z
    .array(item, { error: `a list of at least one ${noun}` })
    .min(1, { error: `a list of at least one ${noun}` })
    .max(max, { error: `at most ${max} of ${noun}` });
}

/** A path inside the commit's tree; parsed to its shortest form. */
export const treePath = text
  .max(512, { error: "a path of at most 512 characters" })
  .refine(
    (path) => !/[\p{Cc}\\]/u.test(path) && !path.startsWith("/") && !/^\.\.(?:\/|$)/.test(posix.normalize(path)),
    {
      error: "a path inside the repo, relative to its root, with / between folders",
    },
  )
  .transform((path) => posix.normalize(path).replace(/(?<=.)\/$/, ""));
