import type { Readable } from "node:stream";
import type { Methods } from "../grpc/server.ts";
import { bytesMessageOf } from "./tunnel.ts";

/** Less than gRPC's limit for a message. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Sends one stream to BuildKit, such as a build context as a tar. BuildKit asks for it by a URL
 * `http://buildkit-session/<id>`, once for a build.
 */
export function uploadMethods(open: () => Promise<Readable>): Methods {
  return {
    "/moby.upload.v1.Upload/Pull": async ({ send }) => {
      for await (const chunk of (await open()) as AsyncIterable<Buffer>)
        for (let at = 0; at < chunk.length; at += CHUNK_BYTES)
          await send(bytesMessageOf(chunk.subarray(at, at + CHUNK_BYTES)));
    },
  };
}
