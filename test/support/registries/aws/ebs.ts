import { createHash, randomBytes } from "node:crypto";
import type { Struct } from "./model.ts";
import { Fault } from "./write.ts";

export const blockSize = 524_288;

export interface Tag {
  Key: string;
  Value: string;
}

export interface Snapshot {
  id: string;
  gibibytes: number;
  tags: Tag[];
  status: "pending" | "completed" | "error";
  /** Looks at it until it is completed; null: not yet asked for. */
  lag: number | null;
  blocks: Map<number, { bytes: Buffer; checksum: string }>;
  /** How often a block was put. */
  puts: number;
}

/** The EBS direct API. It keeps every block, so that the disk can be read back. */
export class Ebs {
  readonly snapshots = new Map<string, Snapshot>();
  /** How often a snapshot is still pending after it was completed. */
  lag = 1;
  /** Blocks a page, at most. */
  page = 100;
  readonly #started = new Map<string, { id: string; asked: string }>();

  answer(operation: string, input: Struct): Struct {
    switch (operation) {
      case "StartSnapshot":
        return this.#start(input);
      case "PutSnapshotBlock":
        return this.#put(input);
      case "CompleteSnapshot":
        return this.#complete(input);
      case "ListSnapshotBlocks":
        return this.#list(input);
      case "GetSnapshotBlock":
        return this.#get(input);
      default:
        throw new Fault(400, "ValidationException", `the stand-in of EBS knows no ${operation}`);
    }
  }

  snapshot(id: unknown): Snapshot {
    const found = this.snapshots.get(String(id));
    if (found === undefined) throw new Fault(404, "ResourceNotFoundException", `The snapshot ${id} does not exist.`);
    return found;
  }

  /** The volume that the snapshot would make. */
  diskOf({ gibibytes, blocks }: Snapshot): { bytes: number; at(index: number): Buffer } {
    const empty = Buffer.alloc(blockSize);
    return { bytes: gibibytes * 2 ** 30, at: (index) => blocks.get(index)?.bytes ?? empty };
  }

  #start(input: Struct): Struct {
    const asked = JSON.stringify({ ...input, ClientToken: undefined });
    const before = this.#started.get(String(input.ClientToken));
    if (before && before.asked !== asked) throw new Fault(409, "ConflictException", "ClientToken of another request");
    const tags = (input.Tags ?? []) as unknown as Tag[];
    demandTags(tags);
    const gibibytes = Number(input.VolumeSize);
    if (gibibytes < 1 || gibibytes > 65_536) throw new Fault(400, "ValidationException", "VolumeSize");
    const id = before?.id ?? `snap-${randomBytes(9).toString("hex").slice(0, 17)}`;
    const fresh: Snapshot = { id, gibibytes, tags, status: "pending", lag: null, blocks: new Map(), puts: 0 };
    if (!before) this.snapshots.set(id, fresh);
    this.#started.set(String(input.ClientToken), { id, asked });
    const { status } = this.snapshots.get(id) ?? { status: "error" };
    return { SnapshotId: id, Status: status, BlockSize: blockSize, VolumeSize: gibibytes };
  }

  #put(input: Struct): Struct {
    const snapshot = this.#open(input.SnapshotId);
    const bytes = input.BlockData as Buffer;
    const index = Number(input.BlockIndex);
    const checksum = createHash("sha256").update(bytes).digest("base64");
    if (input.DataLength !== blockSize || bytes.length !== blockSize) {
      throw new Fault(400, "ValidationException", `DataLength ${input.DataLength}, ${bytes.length} bytes`);
    }
    if (input.ChecksumAlgorithm !== "SHA256" || input.Checksum !== checksum) {
      throw new Fault(400, "ValidationException", "Checksum");
    }
    if (index < 0 || index >= (snapshot.gibibytes * 2 ** 30) / blockSize) {
      throw new Fault(400, "ValidationException", "BlockIndex");
    }
    snapshot.puts += 1;
    snapshot.blocks.set(index, { bytes, checksum });
    return { Checksum: checksum, ChecksumAlgorithm: "SHA256" };
  }

  #complete(input: Struct): Struct {
    const snapshot = this.#open(input.SnapshotId);
    const inOrder = [...snapshot.blocks].sort(([a], [b]) => a - b).map(([, { checksum }]) => checksum);
    // After coldsnap (awslabs), which AWS itself uses: the raw digests, not their base64.
    const all = createHash("sha256");
    for (const checksum of inOrder) all.update(Buffer.from(checksum, "base64"));
    if (input.ChangedBlocksCount !== inOrder.length) throw new Fault(400, "ValidationException", "ChangedBlocksCount");
    const { Checksum, ChecksumAlgorithm, ChecksumAggregationMethod } = input;
    if (Checksum !== undefined && Checksum !== all.digest("base64")) {
      throw new Fault(400, "ValidationException", "Checksum");
    }
    if (Checksum !== undefined && (ChecksumAlgorithm !== "SHA256" || ChecksumAggregationMethod !== "LINEAR")) {
      throw new Fault(400, "ValidationException", "ChecksumAggregationMethod");
    }
    snapshot.lag = this.lag;
    return { Status: "pending" };
  }

  #list(input: Struct): Struct {
    const snapshot = this.#completed(input.SnapshotId);
    const size = Number(input.MaxResults ?? 10_000);
    // The API's own bounds.
    if (size < 100 || size > 10_000) throw new Fault(400, "ValidationException", "MaxResults");
    const from = input.NextToken === undefined ? Number(input.StartingBlockIndex ?? 0) : Number(input.NextToken);
    const indexes = [...snapshot.blocks.keys()].sort((a, b) => a - b).filter((index) => index >= from);
    const count = Math.min(size, this.page);
    const Blocks = indexes
      .slice(0, count)
      .map((index) => ({ BlockIndex: index, BlockToken: tokenOf(snapshot.id, index) }));
    const next = indexes[count];
    return {
      ...{ Blocks, BlockSize: blockSize, VolumeSize: snapshot.gibibytes },
      ...(next !== undefined && { NextToken: String(next) }),
    };
  }

  #get(input: Struct): Struct {
    const { id, blocks } = this.#completed(input.SnapshotId);
    const index = Number(input.BlockIndex);
    const block = blocks.get(index);
    if (!block || input.BlockToken !== tokenOf(id, index)) throw new Fault(400, "ValidationException", "BlockToken");
    const { bytes, checksum } = block;
    return { BlockData: bytes, DataLength: bytes.length, Checksum: checksum, ChecksumAlgorithm: "SHA256" };
  }

  #open(id: unknown): Snapshot {
    const snapshot = this.snapshot(id);
    if (snapshot.status === "pending" && snapshot.lag === null) return snapshot;
    throw new Fault(400, "ValidationException", `The snapshot ${snapshot.id} is not open for writing.`);
  }

  #completed(id: unknown): Snapshot {
    const snapshot = this.snapshot(id);
    if (snapshot.status === "completed") return snapshot;
    throw new Fault(400, "ValidationException", `The snapshot ${snapshot.id} is not completed.`);
  }
}

function tokenOf(id: string, index: number): string {
  return createHash("sha256").update(`${id} ${index}`).digest("base64");
}

/** What an account can demand by a policy with the condition `aws:RequestTag`: nothing is made without them. */
export function demandTags(tags: Tag[]): void {
  const keys = tags.map(({ Key }) => Key);
  if (new Set(keys).size !== keys.length) throw new Fault(400, "ValidationException", "a tag twice");
  if (tags.some(({ Key = "", Value = "" }) => Key.length > 127 || Value.length > 256 || Key.startsWith("aws:"))) {
    throw new Fault(400, "ValidationException", "a tag that may not be");
  }
  for (const key of ["dev.deliverd.digest", "org.opencontainers.image.revision"]) {
    if (!keys.includes(key)) throw new Fault(403, "AccessDeniedException", `the tag ${key} is demanded`);
  }
}
