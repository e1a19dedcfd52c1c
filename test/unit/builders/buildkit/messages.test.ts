import assert from "node:assert/strict";
import fc from "fast-check";
import { framed, messagesOf } from "../../../../src/builders/buildkit/grpc/messages.ts";

async function* inPieces(bytes: Buffer, lengths: number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const end = at + (lengths[turn % lengths.length] ?? 1);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function read(chunks: AsyncIterable<Buffer>, maxBytes?: number): Promise<string[]> {
  const found: string[] = [];
  for await (const message of messagesOf(chunks, maxBytes)) found.push(message.toString("hex"));
  return found;
}

describe("gRPC messages", () => {
  it("are the same however the connection cuts them", async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(messages, lengths, async (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(framed));
        assert.deepEqual(
          await read(inPieces(bytes, cuts)),
          sent.map((message) => Buffer.from(message).toString("hex")),
        );
      }),
    );
  });

  it("are refused over their limit, before their bytes are kept", async () => {
    const head = framed(Buffer.alloc(100)).subarray(0, 5);
    await assert.rejects(read(inPieces(head, [5]), 99), { code: 8, message: /100 bytes; at most 99/ });
    assert.equal((await read(inPieces(framed(Buffer.alloc(99)), [7]), 99)).length, 1);
  });

  it("are refused if they are compressed, or cut off", async () => {
    const message = framed(Buffer.from("text"));
    await assert.rejects(read(inPieces(message.subarray(0, -1), [3])), { code: 14 });
    message.writeUInt8(1, 0);
    await assert.rejects(read(inPieces(message, [9])), { code: 12 });
  });
});
