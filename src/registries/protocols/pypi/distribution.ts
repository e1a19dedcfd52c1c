import { createHash } from "node:crypto";
import { UserError } from "../../../delivery/errors.ts";
import type { Source } from "../files/shelf.ts";
import { readTarball } from "../files/tarball.ts";
import { readZipEntry } from "../files/zip.ts";
import { type CoreMetadata, readCoreMetadata } from "./core-metadata.ts";

const METADATA_MAX_BYTES = 4 * 1024 * 1024;

/** What a form says of one file; the file itself comes after it. @throws UserError `python-package` */
export async function fieldsOf(name: string, source: Source): Promise<[string, string][]> {
  const metadata = readCoreMetadata((await metadataIn(name, source))?.toString("utf8") ?? "");
  if (metadata === null) {
    throw new UserError(
      "python-package",
      `${name} is neither a wheel nor a source distribution with its metadata inside: make it with \`python -m build\`.`,
    );
  }
  return [...about(name, metadata), ...metadata.fields, ...(await digestsOf(source))];
}

function about(file: string, { name, version }: CoreMetadata): [string, string][] {
  // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
  const python = file.endsWith(".whl") ? (file.split("-").at(-3) ?? "") : "";
  return [
    // As setuptools and twine spell what a metadata file may spell otherwise.
    ["name", name.replace(/[^A-Za-z0-9.]+/g, "-")],
    ["version", version],
    ["filetype", file.endsWith(".whl") ? "bdist_wheel" : "sdist"],
    ["pyversion", python],
  ];
}

async function metadataIn(file: string, source: Source): Promise<Buffer | null> {
  if (file.endsWith(".whl")) {
    return readZipEntry(source, (name) => /^[^/]+\.dist-info\/METADATA$/.test(name), METADATA_MAX_BYTES);
  }
  const isPkgInfo = (name: string) => /^[^/]+\/PKG-INFO$/.test(name);
  if (file.endsWith(".zip")) return readZipEntry(source, isPkgInfo, METADATA_MAX_BYTES);
  const files = await readTarball(source, isPkgInfo, METADATA_MAX_BYTES).catch(() => new Map<string, Buffer>());
  return [...files.values()][0] ?? null;
}

/** All in one pass. Node 20 knows no BLAKE2b of 256 bits, which is another digest than a part of the longer one. */
async function digestsOf(source: Source): Promise<[string, string][]> {
  const { blake2b } = await import("@noble/hashes/blake2.js");
  const [sha256, md5, blake2] = [createHash("sha256"), createHash("md5"), blake2b.create({ dkLen: 32 })];
  for await (const chunk of source.open()) {
    sha256.update(chunk);
    md5.update(chunk);
    blake2.update(chunk);
  }
  return [
    ["sha256_digest", sha256.digest("hex")],
    ["md5_digest", md5.digest("hex")],
    ["blake2_256_digest", Buffer.from(blake2.digest()).toString("hex")],
  ];
}
