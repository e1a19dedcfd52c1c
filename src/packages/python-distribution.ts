import { type ArchiveSource, atMostOne, readTarball, readZip, UnreadablePackage } from "./archive.ts";
import { type CoreMetadata, readCoreMetadata } from "./core-metadata.ts";

/** The metadata inside of a wheel, or of a source distribution (`.tar.gz`, and `.zip` as old tools made it). @throws Unreadable */
export async function readDistribution(file: string, source: ArchiveSource): Promise<CoreMetadata> {
  const isWheel = file.endsWith(".whl");
  const wanted = isWheel ? /^[^/]+\.dist-info\/METADATA$/ : /^[^/]+\/PKG-INFO$/;
  const read = isWheel || file.endsWith(".zip") ? readZip : readTarball;
  const found = atMostOne(await read(source, (path) => wanted.test(path)));
  if (found === null) throw new UnreadablePackage(`it holds no ${isWheel ? "*.dist-info/METADATA" : "PKG-INFO"}`);
  return readCoreMetadata(found.bytes);
}
