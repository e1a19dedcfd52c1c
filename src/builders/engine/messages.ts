import * as z from "zod";
import { readTrace, type Trace } from "../buildkit/trace.ts";

/** A message of the engine during a build, pull or push: one JSON object a line. */
export interface EngineMessage {
  /** Output of the classic builder, in pieces that need not end at a line end. */
  stream?: string | undefined;
  /** Of a pull or a push. */
  status?: string | undefined;
  error?: string | undefined;
  errorDetail?: { code?: number | undefined; message?: string | undefined } | undefined;
  imageId?: string | undefined;
  trace?: Trace | undefined;
}

const line = z.object({
  id: z.string().optional(),
  stream: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ code: z.number().optional(), message: z.string().optional() }).optional(),
  aux: z.union([z.string(), z.looseObject({ ID: z.string().optional() })]).optional(),
});

/** Reads the messages from a stream, one line at a time. Other lines are left out. */
export async function* readMessages(answer: NodeJS.ReadableStream): AsyncGenerator<EngineMessage> {
  let open: Buffer[] = [];
  for await (const chunk of answer) {
    let rest = Buffer.from(chunk);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const message = readMessage(Buffer.concat([...open, rest.subarray(0, end)]).toString());
      open = [];
      rest = rest.subarray(end + 1);
      if (message) yield message;
    }
    if (rest.length > 0) open.push(rest);
  }
  const message = readMessage(Buffer.concat(open).toString());
  if (message) yield message;
}

function readMessage(text: string): EngineMessage | null {
  if (!text.trim()) return null;
  const { success, data } = line.safeParse(parseJson(text));
  if (!success) return null;
  const { id, aux, ...message } = data;
  // Newer engines leave out the plain text.
  message.error ??= message.errorDetail?.message;
  if (typeof aux === "string")
    return id === "moby.buildkit.trace" ? { ...message, trace: readTrace(Buffer.from(aux, "base64")) } : message;
  return { ...message, imageId: aux?.ID };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
