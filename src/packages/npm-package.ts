import * as z from "zod";
import { type ArchiveSource, atMostOne, readTarball, UnreadablePackage } from "./archive.ts";

/** A package.json may contain anything. A field whose type is not the one in npm's documentation counts as missing. */
const manifestSchema = z.looseObject({
  name: z.string().min(1),
  version: z.string().min(1),
  description: z.string().optional().catch(undefined),
  private: z.boolean().optional().catch(undefined),
  publishConfig: z
    .looseObject({ access: z.enum(["public", "restricted"]).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

export type NpmManifest = z.output<typeof manifestSchema>;

export interface NpmPackage {
  manifest: NpmManifest;
  /** Empty: there is none, or it is too large. */
  readme: string;
}

const README_MAX_BYTES = 512 * 1024;
/** More than any registry shows. */
const README_MAX_CHARACTERS = 64 * 1024;

/**
 * Reads package.json and the readme from the archive that `npm pack` makes. npm itself calls the top folder `package`,
 * but accepts any name. @throws UnreadablePackage
 */
export async function readNpmPackage(source: ArchiveSource): Promise<NpmPackage> {
  const isManifest = (path: string) => /^[^/]+\/package\.json$/.test(path);
  const isReadme = (path: string) => /^[^/]+\/readme(?:\.md|\.markdown)?$/i.test(path);
  const entries = await readTarball(
    source,
    (path, size) => isManifest(path) || (isReadme(path) && size <= README_MAX_BYTES),
  );
  const found = atMostOne(entries.filter(({ path }) => isManifest(path)));
  if (found === null) throw new UnreadablePackage("it holds no package/package.json");
  const { success, data } = manifestSchema.safeParse(parsed(found.bytes));
  if (!success) throw new UnreadablePackage("its package.json has no name or no version");
  const readme = entries.find(({ path }) => isReadme(path))?.bytes.toString("utf8") ?? "";
  return { manifest: data, readme: readme.slice(0, README_MAX_CHARACTERS) };
}

/** Like npm, it accepts a byte order mark. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  } catch {
    return null;
  }
}
