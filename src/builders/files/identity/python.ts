import type { FrozenFile, PackageIdentity } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";
import { readFromTarball, readFromZip, Unreadable } from "./archives.ts";

/** Of a wheel or an sdist, by the core metadata inside. @throws Unreadable */
export async function pythonIdentity(store: Store, file: FrozenFile): Promise<PackageIdentity> {
  const isWheel = file.name.endsWith(".whl");
  const text = isWheel
    ? await wheelMetadata(store, file)
    : await readFromTarball(store, file, (path) => /^(?:\.\/)?[^/]+\/PKG-INFO$/.test(path));
  if (text === null) throw new Unreadable(`it holds no ${isWheel ? "*.dist-info/METADATA" : "PKG-INFO"}`);
  const [name, version] = [field(text, "Name"), field(text, "Version")];
  if (name === null || version === null) throw new Unreadable("its metadata has no Name or no Version");
  return { name, version };
}

async function wheelMetadata(store: Store, file: FrozenFile): Promise<string | null> {
  const found = [...(await readFromZip(store, file, (path) => /^[^/]+\.dist-info\/METADATA$/.test(path))).values()];
  if (found.length > 1) throw new Unreadable("it holds more than one *.dist-info");
  return found[0] ?? null;
}

/** Headers as in mail, up to the first empty line: https://packaging.python.org/en/latest/specifications/core-metadata/ */
function field(text: string, name: string): string | null {
  const [head = ""] = text.split(/\r?\n\r?\n/);
  return new RegExp(`^${name}:[ \\t]*(\\S.*?)\\s*$`, "im").exec(head)?.[1] ?? null;
}

/** Project and version as the file's name says them, as far as they are written there; null: it is no such name. */
export function saidByName(file: string): PackageIdentity | null {
  // {name}-{version}(-{build})?-{python}-{abi}-{platform}.whl; {name}-{version}.tar.gz
  const wheel = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$/.exec(file);
  const [, name, version] = wheel ?? /^(.+)-([^-]+)\.tar\.gz$/.exec(file) ?? [];
  return name === undefined || version === undefined ? null : { name, version };
}
