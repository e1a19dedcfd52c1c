import type { PackageIdentity } from "./types.ts";

/**
 * The normalised name of a Python project: https://packaging.python.org/en/latest/specifications/name-normalization/
 */
export function normalPythonName(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}

/** The project and version in the name of a wheel or source distribution. Null: it is no such name. */
export function identityInFileName(file: string): PackageIdentity | null {
  // {name}-{version}(-{build})?-{python}-{abi}-{platform}.whl; {name}-{version}.tar.gz
  const wheel = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$/.exec(file);
  const [, name, version] = wheel ?? /^(.+)-([^-]+)\.tar\.gz$/.exec(file) ?? [];
  return name === undefined || version === undefined ? null : { name, version };
}
