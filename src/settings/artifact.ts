import * as z from "zod";
import { text } from "./scalars.ts";

/*
 * The settings that artifacts of a pipeline share, whatever builder makes them.
 */

export const name = z.string({ error: "the artifact's name" }).regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
  error: "a name of lower-case letters, digits and . _ -, beginning with a letter or digit, at most 63 characters",
});

/** Of a repository or a tag. */
export const template = z
  .string({ error: "the template of a name in the registry, such as acme/api" })
  .min(1, { error: "the template of a name in the registry, such as acme/api" })
  .max(256, { error: "at most 256 characters" })
  .regex(/^[^\s\p{Cc}]+$/u, { error: "a template without spaces, such as {version}" });

export const registryKey = text.max(100, { error: "the key of a registry of the server" });

export const argument = z
  .union([z.string(), z.number(), z.boolean()], { error: "a text" })
  .transform(String)
  .refine((value) => !value.includes("\0") && value.length <= 4096, { error: "a text of at most 4096 characters" });

export const argumentName = z.string().regex(/^(?!DELIVERD_|SOURCE_DATE_EPOCH$)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  error: "the name of a build argument; DELIVERD_… and SOURCE_DATE_EPOCH are set by deliverd itself",
});

/** A list of at least one item. @param noun what messages call an item */
export function listOf<T extends z.ZodType>(item: T, max: number, noun: string) {
  return z
    .array(item, { error: `a list of at least one ${noun}` })
    .min(1, { error: `a list of at least one ${noun}` })
    .max(max, { error: `at most ${max} of ${noun}` });
}
