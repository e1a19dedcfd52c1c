import { PackageURL } from "packageurl-js";
import { normalPythonName } from "./python-name.ts";
import type { Location, PackageIdentity, Release } from "./types.ts";

/**
 * The package URL of a release (github.com/package-url/purl-spec): the name that scanners and SBOMs use for it. Its
 * type is that of the artifact's ecosystem.
 */
export function packageUrlOf(release: Release): string {
  if (release.kind === "image") return imageUrl(release);
  const identity = identityOf(release);
  const { type, namespace, name, version } = coordinatesOf(release, identity);
  return new PackageURL(type, namespace, name, version, oneFile(release), undefined).toString();
}

/** The name and version inside the package; where a jar has none, those of its Maven repository. */
function identityOf({ kind, package: identity, locations }: Release): PackageIdentity | null {
  if (identity !== null || kind !== "jar") return identity;
  // `group:artifact`. The path of a plain store has no colon.
  const packaged = locations.find(({ repository }) => /^[^:/]+:[^:/]+$/.test(repository));
  return packaged === undefined ? null : { name: packaged.repository, version: packaged.tag };
}

function coordinatesOf({ kind, repo, artifact, version }: Release, identity: PackageIdentity | null) {
  const generic = { type: "generic", namespace: repo.split("/").slice(1).join("/"), name: artifact, version };
  if (identity === null) return generic;
  const own = { version: identity.version };
  switch (kind) {
    case "npm": {
      const [first = "", second] = identity.name.split("/");
      return { type: "npm", namespace: second === undefined ? undefined : first, name: second ?? first, ...own };
    }
    case "jar": {
      const [group = "", name = group] = identity.name.split(":");
      return { type: "maven", namespace: group, name, ...own };
    }
    case "wheel":
      // A project has many spellings. The type requires this one.
      return { type: "pypi", namespace: undefined, name: normalPythonName(identity.name), ...own };
    case "image":
    case "file":
    case "ami":
      return generic;
  }
}

/** A checksum, if there is exactly one file. */
function oneFile({ files }: Release): Record<string, string> | undefined {
  const [file, ...others] = files;
  return file === undefined || others.length > 0 ? undefined : { checksum: file.digest };
}

/** The type `oci`: the last part of the image's name, its digest, and the repository to pull it from. */
function imageUrl(release: Release): string {
  const [location] = release.locations;
  const repository = location === undefined ? null : repositoryUrl(location);
  const name = repository?.split("/").at(-1) ?? release.artifact;
  const qualifiers = repository === null ? undefined : { repository_url: repository };
  return new PackageURL("oci", undefined, name, release.digest, qualifiers, undefined).toString();
}

/**
 * `registry.example.com/acme/api`. The pull command is asked first, since images may be pulled from another host than
 * the registry's API has.
 */
function repositoryUrl(location: Location): string {
  const pulled = /(\S+)@sha256:/.exec(location.pull)?.[1]?.replace(/^[a-z-]+:\/\//, "");
  return pulled ?? `${new URL(location.url).host}/${location.repository}`;
}
