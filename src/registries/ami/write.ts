import { createHash, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Run } from "../../run/run.ts";
import type { Store } from "../../store/store.ts";
import { isAnswer } from "../protocols/aws/ask.ts";
import type { StampedContent } from "../registry.ts";
import type { AmiApi } from "./api.ts";
import { aggregateOf, blocksOf } from "./blocks.ts";

export interface Writing {
  api: AmiApi;
  store: Store;
  content: StampedContent;
  tags: Record<string, string>;
  /** By snapshot: the digests of the blocks that this process has put there. Another try goes on from them. */
  put: Map<string, Map<number, Buffer>>;
  /** ms between two looks at what takes its time. */
  interval: number;
  run: Run;
}

/** Each block is half a megabyte, and waits for AWS more than for us. */
const AT_ONCE = 8;

/** A completed snapshot of the content: the one that stands, the one that was begun, or a new one. @returns its id */
export async function snapshotOf(writing: Writing): Promise<string> {
  const { api, content, tags, run } = writing;
  const known = await api.snapshotsOf(content.digest, run.signal);
  const standing = known.find(({ State }) => State === "completed");
  if (standing?.SnapshotId !== undefined) return standing.SnapshotId;
  const begun = known.find(({ State }) => State === "pending")?.SnapshotId;
  // Those that came to nothing count: AWS would give the same one for the same token again.
  const token = createHash("sha256").update(`${content.digest} ${known.length}`).digest("hex");
  const order = { size: content.size, token, tags };
  const id = begun ?? (await api.start(order, run.signal));
  try {
    return await fill(writing, id, begun !== undefined);
  } catch (error) {
    if (!isAnswer(error, "ResourceNotFoundException")) throw error;
    // It was deleted by someone, and AWS still remembers the token.
    run.log.line(`${api.label}: ${id} is gone: starting again`);
    return fill(writing, await api.start({ ...order, token: randomUUID() }, run.signal), false);
  }
}

async function fill(writing: Writing, snapshotId: string, isResumed: boolean): Promise<string> {
  const { api, put, run } = writing;
  const checksums = put.get(snapshotId) ?? new Map<number, Buffer>();
  put.set(snapshotId, checksums);
  try {
    await putBlocks(writing, snapshotId, checksums);
    const order = { snapshotId, count: checksums.size, checksum: aggregateOf(checksums) };
    await api.complete(order, run.signal);
  } catch (error) {
    // One that an earlier try completed takes nothing more, and is only to be waited for.
    if (!isResumed || !isAnswer(error, "ValidationException", "ConflictException")) throw error;
    run.log.line(`${api.label}: ${snapshotId} is no longer open, waiting for it`);
  }
  put.delete(snapshotId);
  await completed(writing, snapshotId);
  return snapshotId;
}

async function putBlocks(
  { api, store, content, run }: Writing,
  snapshotId: string,
  checksums: Map<number, Buffer>,
): Promise<void> {
  const failures: unknown[] = [];
  const source = store.open(content.digest);
  const blocks = blocksOf(source, content.digest);
  let told = run.clock.now();
  const work = async () => {
    for await (const { index, bytes } of { [Symbol.asyncIterator]: () => ({ next: () => blocks.next() }) }) {
      if (failures.length > 0) return;
      if (checksums.has(index)) continue;
      const digest = createHash("sha256").update(bytes).digest();
      await api.put({ snapshotId, index, bytes, checksum: digest.toString("base64") }, run.signal);
      checksums.set(index, digest);
      if (run.clock.now() - told < 1000) continue;
      told = run.clock.now();
      run.log.line(`${api.label}: ${checksums.size} blocks of ${snapshotId} are written`);
    }
  };
  // After a failure what is under way is still finished, so that the next try need not put it again.
  await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch((error) => failures.push(error))));
  source.destroy();
  if (failures.length > 0) throw failures[0];
}

async function completed({ api, interval, run }: Writing, snapshotId: string): Promise<void> {
  for (;;) {
    const found = await api.snapshot(snapshotId, run.signal);
    if (found?.State === "completed") return;
    if (found === null || found.State === "error") {
      throw new TransientError(
        "registry-upload-lost",
        `${api.label}: the snapshot ${snapshotId} failed${found?.StateMessage ? ` (${found.StateMessage})` : ""}.`,
      );
    }
    run.log.line(`${api.label}: ${snapshotId} is ${found.State}${found.Progress ? `, ${found.Progress}` : ""}`);
    await delay(interval, undefined, { signal: run.signal });
  }
}

/** Waits until the image can be started. @throws Refused `ami-failed`, TransientError */
export async function available({ api, interval, run }: Writing, name: string): Promise<string> {
  for (;;) {
    const image = await api.image(name, run.signal);
    // A new image is not seen everywhere at once.
    const state = image?.State ?? "pending";
    if (state === "available") return image?.ImageId ?? "";
    if (state !== "pending" && state !== "transient") {
      throw new Refused(
        "ami-failed",
        `${api.label}: ${image?.ImageId} (${name}) is ${state}` +
          `${image?.StateReason?.Message ? `: ${image.StateReason.Message}` : ""}. ` +
          "Deregister it, and make sure that the disk can boot.",
      );
    }
    run.log.line(`${api.label}: ${name} is ${state}`);
    await delay(interval, undefined, { signal: run.signal });
  }
}
