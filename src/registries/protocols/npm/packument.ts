import * as z from "zod";

/** What we read of a package's document: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md */
export const packumentSchema = z.object({
  "dist-tags": z.record(z.string(), z.string()).default({}),
  versions: z.record(z.string(), z.object({ dist: z.object({ tarball: z.string() }) })).default({}),
});

export type Packument = z.output<typeof packumentSchema>;

export const noPackument: Packument = { "dist-tags": {}, versions: {} };

/** Of `/-/whoami`; some registries answer 200 to a token that nobody has. */
export const whoamiSchema = z.object({ username: z.string().min(1) });
