import * as z from "zod";

/** What we read of a package's document: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md */
export const packumentSchema = z.object({
  "dist-tags": known(z.string()),
  versions: known(z.object({ dist: z.object({ tarball: z.string() }) })),
});

/** By name; an entry that is null, or a stub, is none. */
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

/** Of `/-/whoami`; some registries answer 200 to a token that nobody has. */
export const whoamiSchema = z.object({ username: z.string().min(1) });
