import * as z from "zod";
import { UserError } from "../../../delivery/errors.ts";
import type { Body } from "../../../transport.ts";
import { readTarball } from "../files/tarball.ts";

const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;
const README_MAX_CHARACTERS = 64 * 1024;

const manifestSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  description: z.string().optional(),
  private: z.boolean().optional(),
  publishConfig: z.looseObject({ access: z.enum(["public", "restricted"]).optional() }).optional(),
});

export type Manifest = z.output<typeof manifestSchema> & { readme: string };

/** The package.json of what `npm pack` made, and its readme: a registry shows it. @throws UserError `npm-package` */
export async function readNpmPackage(tarball: Body, file: string): Promise<Manifest> {
  const isReadme = (name: string) => /^[^/]+\/readme(?:\.md|\.markdown)?$/i.test(name);
  const files = await readTarball(
    tarball,
    (name) => /^[^/]+\/package\.json$/.test(name) || isReadme(name),
    MANIFEST_MAX_BYTES,
  ).catch((error: Error) => {
    throw new UserError("npm-package", `${file} is no package as \`npm pack\` makes them: ${error.message}`);
  });
  const [, json] = [...files].find(([name]) => name.endsWith("/package.json")) ?? [];
  const [, readme] = [...files].find(([name]) => isReadme(name)) ?? [];
  const parsed = manifestSchema.safeParse(asJson(json));
  if (!parsed.success) {
    throw new UserError(
      "npm-package",
      `${file} holds no package.json with name and version: make it with \`npm pack\`.`,
    );
  }
  if (parsed.data.private === true) {
    throw new UserError(
      "npm-package",
      `${file}: its package.json says "private": true, which keeps it from being published. Remove that line.`,
    );
  }
  return { ...parsed.data, readme: readme?.toString("utf8").slice(0, README_MAX_CHARACTERS) ?? "" };
}

function asJson(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString("utf8") ?? "");
  } catch {
    return null;
  }
}
