import { createHash } from "node:crypto";
import { UserError } from "../../../delivery/errors.ts";
import { UnreadablePackage } from "../../../packages/archive.ts";
import type { CoreMetadata } from "../../../packages/core-metadata.ts";
import { readDistribution } from "../../../packages/python-distribution.ts";
import type { Source } from "../files/shelf.ts";
import { uploadFields } from "./upload-fields.ts";

/** The form fields for one file, without the file itself. @throws UserError `python-package` */
export async function fieldsOf(name: string, source: Source): Promise<[string, string][]> {
  const metadata = await readDistribution(name, source).catch((error: unknown) => {
    if (!(error instanceof UnreadablePackage)) throw error;
    throw new UserError(
      "python-package",
      `${name} cannot be read as a wheel or a source distribution: ${error.message}. Make it with \`python -m build\`.`,
    );
  });
  return [...about(name, metadata), ...uploadFields(metadata), ...(await digestsOf(source))];
}

function about(file: string, { name, version }: CoreMetadata): [string, string][] {
  const isWheel = file.endsWith(".whl");
  return [
    // The spelling of setuptools and twine. The metadata may have another one.
    ["name", name.replace(/[^A-Za-z0-9.]+/g, "-")],
    ["version", version],
    ["filetype", isWheel ? "bdist_wheel" : "sdist"],
    // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
    ["pyversion", isWheel ? (file.split("-").at(-3) ?? "") : "source"],
  ];
}

/** Computes all digests in one pass. Node 20 has no BLAKE2b with 256 bits, which is not a part of the longer digest. */
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
