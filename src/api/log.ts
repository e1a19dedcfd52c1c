import { setImmediate as nextTurn } from "node:timers/promises";
import type { Request, Response } from "express";
import type { Semaphore } from "../async/semaphore.ts";
import { printable } from "../delivery/printable.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type LogChunk, readLog } from "../ledger/logs.ts";
import type { Follow } from "./follow.ts";

export interface LogSources {
  ledger: Ledger;
  /** Readers of logs unpack one chunk at a time, and webhooks get a turn of the event loop before each. */
  turns: Semaphore;
}

/** Sends the log as text, up to its current end. */
export async function sendLogText(
  sources: LogSources,
  id: string,
  request: Request,
  response: Response,
): Promise<void> {
  response.set({
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  // Node drops the body of a HEAD response without any back-pressure, so a long log would be read to no use.
  if (request.method !== "HEAD") await sendFrom(sources, id, 1, response, ({ text }) => text);
  response.end();
}

/**
 * Sends the log as server-sent events: `log` with the text of a chunk, `state` when the delivery's state changes, `end`
 * when the delivery is finished. A client resumes with `Last-Event-ID`.
 */
export async function sendLogEvents(
  sources: LogSources & { follow: Follow },
  id: string,
  request: Request,
  response: Response,
): Promise<void> {
  response.set({ "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
  response.flushHeaders();
  if (request.method === "HEAD") return void response.end();
  let next = Number(request.headers["last-event-id"] ?? 0) + 1 || 1;
  let state = "";
  for await (const update of sources.follow(id, response)) {
    // The state was read before the log, so a final state means that the log is complete.
    if (update.lastSeq >= next) {
      next = await sendFrom(sources, id, next, response, ({ seq, text }) => event("log", text.replace(/\n$/, ""), seq));
    }
    if (update.state !== null && update.state !== state) {
      state = update.state;
      await write(response, event("state", printable(JSON.stringify({ state, because: update.because }))));
    }
    if (update.isFinal) {
      await write(response, event("end", state));
      break;
    }
    if (update.isHeartbeat) await write(response, ": still here\n\n");
  }
  response.end();
}

/**
 * Sends the chunks from `from` on. It reads one at a time, so that a slow client keeps no more than one in memory.
 * @returns the seq after the last chunk
 */
async function sendFrom(
  { ledger, turns }: LogSources,
  id: string,
  from: number,
  response: Response,
  textOf: (chunk: { seq: number; text: string }) => string,
): Promise<number> {
  for (let next = from; ; ) {
    const [chunk] = await readChunk(ledger, turns, id, next);
    if (chunk === undefined || response.destroyed) return next;
    await write(response, textOf(chunk));
    next = chunk.seq + 1;
  }
}

async function readChunk(ledger: Ledger, turns: Semaphore, id: string, seq: number): Promise<LogChunk[]> {
  await turns.acquire();
  try {
    await nextTurn();
    return await readLog(ledger, id, seq, 1);
  } finally {
    turns.release();
  }
}

function event(name: string, data: string, seq?: number): string {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return `event: ${name}\n${seq === undefined ? "" : `id: ${seq}\n`}${lines.join("")}\n`;
}

/** Resolves when the client has room for more, or has closed the connection. */
async function write(response: Response, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.once("drain", go).once("close", go);
  });
}
