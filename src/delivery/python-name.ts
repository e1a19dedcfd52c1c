import type { PackageIdentity } from "./types.ts";

/** One spelling of a Python project's many: https://packaging.python.org/en/latest/specifications/name-normalization/ */
export function normalPythonName(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}

/** Project and version as the file's name says them, as far as they are written there; null: it is no such name. */
export function identityInFileName(file: string): PackageIdentity | null {
  // {name}-{version}(-{build})?-{python}-{abi}-{platform}.whl; {name}-{version}.tar.gz
  const wheel = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$/.exec(file);
  const [, name, version] = wheel ?? /^(.+)-([^-]+)\.tar\.gz$/.exec(file) ?? [];
  return name === undefined || version === undefined ? null : { name, version };
}
