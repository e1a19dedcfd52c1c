import * as z from "zod";

/**
 * The needed parts of a package's document:
 * https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
 */
export const packumentSchema = z.object({
  "dist-tags": known(z.string()),
  versions: known(z.object({ dist: z.object({ tarball: z.string() }) })),
});

/** Entries by name. An entry that is null or incomplete is left out. */
function known<T>(entry: z.ZodType<T>) {
  return z
    .record(z.string(), entry.nullable().catch(null))
    .nullish()
    .transform(
      (entries) =>
        Object.fromEntries(
          Object.entries(entries ?? {}).flatMap(([name, each]) => (each === null ? [] : [[name, each]])),
        ) as Record<string, T>,
    );
}

export type Packument = z.output<typeof packumentSchema>;

export const NO_PACKUMENT: Packument = { "dist-tags": {}, versions: {} };

/** The answer of `/-/whoami`. Some registries answer 200 to an unknown token. */
export const whoamiSchema = z.object({ username: z.string().min(1) });
