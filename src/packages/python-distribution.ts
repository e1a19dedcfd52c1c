import { type ArchiveSource, atMostOne, readTarball, readZip, UnreadablePackage } from "./archive.ts";
import { type CoreMetadata, readCoreMetadata } from "./core-metadata.ts";

/** The metadata in a wheel or source distribution (`.tar.gz`, or `.zip` of old tools). @throws UnreadablePackage */
export async function readDistribution(file: string, source: ArchiveSource): Promise<CoreMetadata> {
  const isWheel = file.endsWith(".whl");
  const wanted = isWheel ? /^[^/]+\.dist-info\/METADATA$/ : /^[^/]+\/PKG-INFO$/;
  const read = isWheel || file.endsWith(".zip") ? readZip : readTarball;
  const found = atMostOne(await read(source, (path) => wanted.test(path)));
  if (found === null) throw new UnreadablePackage(`it holds no ${isWheel ? "*.dist-info/METADATA" : "PKG-INFO"}`);
  return readCoreMetadata(found.bytes);
}
