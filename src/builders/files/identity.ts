import { buffer } from "node:stream/consumers";
import { normalPythonVersion } from "../../delivery/ecosystem-version.ts";
import { UserError } from "../../delivery/errors.ts";
import { type JarFiles, jarFiles } from "../../delivery/package-files.ts";
import { identityInFileName, normalPythonName } from "../../delivery/python-name.ts";
import type { ArtifactPlan, FrozenFile, PackageIdentity } from "../../delivery/types.ts";
import { type ArchiveSource, UnreadablePackage } from "../../packages/archive.ts";
import { readJar, readPom } from "../../packages/jar.ts";
import { readNpmPackage } from "../../packages/npm-package.ts";
import { readDistribution } from "../../packages/python-distribution.ts";
import type { Store } from "../../store/store.ts";
import { requireDiskImage } from "./identity/disk-image.ts";

/** The build's environment, which contains its version. */
type Environment = Record<string, string>;
type Artifact = Pick<ArtifactPlan, "name" | "kind">;

/**
 * Reads the name and version inside a package. Requires that the files fit their kind, and have the version of the
 * build.
 * @returns null if the kind is no package, or its files give no name
 * @throws UserError `wrong-files`, `package-unreadable`, `package-version-differs`
 */
export async function identifyPackage(
  store: Store,
  artifact: Artifact,
  files: readonly FrozenFile[],
  environment: Environment,
): Promise<PackageIdentity | null> {
  switch (artifact.kind) {
    case "npm":
      return identifyNpm(store, artifact, files, environment);
    case "wheel":
      return identifyPython(store, artifact, files, environment);
    case "jar":
      return identifyJar(store, artifact, files, environment);
    case "ami":
      await requireDiskImage(store, artifact, files);
      return null;
    case "file":
    case "image":
      return null;
  }
}

async function identifyNpm(store: Store, artifact: Artifact, files: readonly FrozenFile[], environment: Environment) {
  const [file, ...others] = files;
  if (file === undefined || others.length > 0 || !file.name.endsWith(".tgz"))
    throw wrongFiles(artifact, files, "exactly one .tgz, as `npm pack` makes it");
  const { manifest } = await readable(artifact, file, () => readNpmPackage(sourceOf(store, file)));
  const { name, version } = manifest;
  requireVersion(artifact, file, { name, version }, environment, "DELIVERD_VERSION", (each) => each);
  return { name, version };
}

async function identifyPython(
  store: Store,
  artifact: Artifact,
  files: readonly FrozenFile[],
  environment: Environment,
) {
  const expected = "wheels (.whl) and at most one sdist (.tar.gz), of one project and version";
  const sdists = files.filter(({ name }) => name.endsWith(".tar.gz"));
  if (sdists.length > 1 || !files.every(({ name }) => /\.whl$|\.tar\.gz$/.test(name)))
    throw wrongFiles(artifact, files, expected);
  let first: PackageIdentity | null = null;
  for (const file of files) {
    const { name, version } = await readable(artifact, file, () => readDistribution(file.name, sourceOf(store, file)));
    const identity = { name, version };
    requireVersion(artifact, file, identity, environment, "DELIVERD_VERSION_PEP440", normalPythonVersion);
    const byName = identityInFileName(file.name);
    if (byName === null || !isSame(byName, identity)) {
      const says = `whose name says ${identity.name} ${identity.version}, as its metadata does`;
      throw wrongFiles(artifact, [file], `a file ${says}`);
    }
    first ??= identity;
    if (!isSame(first, identity)) throw wrongFiles(artifact, files, expected);
  }
  return first;
}

function isSame(one: PackageIdentity, other: PackageIdentity): boolean {
  return (
    normalPythonName(one.name) === normalPythonName(other.name) &&
    normalPythonVersion(one.version) === normalPythonVersion(other.version)
  );
}

async function identifyJar(store: Store, artifact: Artifact, files: readonly FrozenFile[], environment: Environment) {
  const parts = jarFiles(files);
  if (parts === null)
    throw wrongFiles(
      artifact,
      files,
      "one .jar or .war, others with its name and a classifier (lib-1.0-sources.jar), and at most one .pom",
    );
  const source = parts.pom ?? parts.main;
  const identity = await readable(artifact, source, () => identityOfJar(store, parts));
  if (identity !== null)
    requireVersion(artifact, source, identity, environment, "DELIVERD_VERSION_MAVEN", (version) => version);
  return identity;
}

const MAX_POM_BYTES = 2 ** 20;

/** From the POM beside the jar, or else from what Maven packed into it. */
async function identityOfJar(store: Store, { main, pom }: JarFiles<FrozenFile>): Promise<PackageIdentity | null> {
  const packed = await readJar(sourceOf(store, main));
  if (pom === null) return packed;
  if (pom.size > MAX_POM_BYTES) throw new UnreadablePackage(`${pom.name} has more than ${MAX_POM_BYTES} bytes`);
  return readPom(await buffer(store.open(pom.digest)), pom.name);
}

function sourceOf(store: Store, { digest, size }: FrozenFile): ArchiveSource {
  return { length: size, open: (range) => store.open(digest, range) };
}

async function readable<T>({ name, kind }: Artifact, file: FrozenFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnreadablePackage)) throw error;
    throw new UserError(
      "package-unreadable",
      `artifacts.${name}: ${file.name} cannot be read as an artifact of kind ${kind}: ${error.message}.`,
    );
  }
}

function requireVersion(
  { name }: Artifact,
  file: FrozenFile,
  { version }: PackageIdentity,
  environment: Environment,
  variable: string,
  normal: (version: string) => string | null,
): void {
  const expected = environment[variable];
  if (expected === undefined || (normal(version) !== null && normal(version) === normal(expected))) return;
  throw new UserError(
    "package-version-differs",
    `artifacts.${name}: ${file.name} has version ${version} inside, but the release is ${expected}. ` +
      `Let the commands of build set it from $${variable} before they pack.`,
  );
}

function wrongFiles({ name, kind }: Artifact, files: readonly FrozenFile[], expected: string): UserError {
  const shown = files.slice(0, 20).map((file) => file.name);
  const more = files.length > shown.length ? ` and ${files.length - shown.length} more` : "";
  return new UserError(
    "wrong-files",
    `artifacts.${name}.files matches ${shown.join(", ")}${more}; an artifact of kind ${kind} is ${expected}.`,
  );
}
