import type { ClientHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import protobuf from "protobufjs";
import { framed, messagesOf } from "../grpc/messages.ts";

// From BuildKit's api/services/control/control.proto, and session/upload/upload.proto.
const { root } = protobuf.parse(`syntax = "proto3"; message BytesMessage { bytes data = 1; }`);
const bytesMessage = root.lookupType("BytesMessage");

/** Bytes as BuildKit sends them in a stream of messages. */
export function bytesMessageOf(data: Uint8Array): Uint8Array {
  return bytesMessage.encode({ data }).finish();
}

/** A connection inside of a call: its bytes travel in messages, in both directions. */
export class Tunnel extends Duplex {
  readonly #stream: ClientHttp2Stream;
  #resume: (() => void) | null = null;

  constructor(stream: ClientHttp2Stream) {
    super();
    this.#stream = stream;
    void this.#pump();
  }

  override _read(): void {
    this.#resume?.();
    this.#resume = null;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.write(framed(bytesMessageOf(chunk)), done);
  }

  override _final(done: () => void): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.destroy();
    this._read();
    done(error);
  }

  async #pump(): Promise<void> {
    try {
      for await (const message of messagesOf(this.#stream)) {
        const { data } = bytesMessage.decode(message) as unknown as { data: Uint8Array };
        if (this.destroyed) return;
        if (!this.push(data)) await this.#room();
      }
      this.push(null);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}
