import { UserError } from "../../../delivery/errors.ts";
import type { ArtifactPlan, FrozenFile } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";

const SECTOR_BYTES = 512;
/** The first bytes of other formats and of compressed files. */
const OTHER_FORMATS: [string, Buffer][] = [
  ["a qcow2 image", Buffer.from("QFI\xfb", "latin1")],
  ["a VMDK", Buffer.from("KDMV")],
  ["a VHD", Buffer.from("conectix")],
  ["a VHDX", Buffer.from("vhdxfile")],
  ["packed by gzip", Buffer.from([0x1f, 0x8b])],
  ["packed by xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
  ["packed by zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];

/** Requires one raw disk image. @throws UserError `wrong-files` */
export async function requireDiskImage(
  store: Store,
  { name }: Pick<ArtifactPlan, "name">,
  files: readonly FrozenFile[],
): Promise<void> {
  const [file, ...others] = files;
  const wrong = (what: string) =>
    new UserError(
      "wrong-files",
      `artifacts.${name}.files ${what}; an artifact of kind ami is exactly one raw disk image.`,
    );
  if (file === undefined || others.length > 0)
    throw wrong(
      `matches ${files
        .slice(0, 20)
        .map((each) => each.name)
        .join(", ")}`,
    );
  if (file.size === 0 || file.size % SECTOR_BYTES !== 0)
    throw wrong(
      `matches ${file.name}, whose size of ${file.size} bytes is not a multiple of a sector (${SECTOR_BYTES})`,
    );
  const chunks: Buffer[] = [];
  for await (const chunk of store.open(file.digest, { start: 0, end: 15 })) chunks.push(chunk);
  const head = Buffer.concat(chunks);
  const other = OTHER_FORMATS.find(([, magic]) => head.subarray(0, magic.length).equals(magic));
  if (other !== undefined) throw wrong(`matches ${file.name}, which is ${other[0]}`);
}
