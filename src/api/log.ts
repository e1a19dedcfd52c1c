import { setImmediate as nextTurn } from "node:timers/promises";
import type { Request, Response } from "express";
import type { Semaphore } from "../async/semaphore.ts";
import { printable } from "../delivery/printable.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type LogChunk, readLog } from "../ledger/logs.ts";
import type { Follow } from "./follow.ts";

export interface LogSources {
  ledger: Ledger;
  /** Of all who read logs, one at a time: each chunk is unpacked, and webhooks have their turn before the next. */
  turns: Semaphore;
}

/** The log as it stands, as text. */
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
  // Without a body nothing would ever say that the client has enough.
  if (request.method !== "HEAD") await sendFrom(sources, id, 1, response, ({ text }) => text);
  response.end();
}

/**
 * The log as server-sent events: `log` events with a line each, `state` when it changes, `end` when nothing more will
 * come. `Last-Event-ID` goes on where a lost connection stopped.
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
  for await (const seen of sources.follow(id, response)) {
    // The state was read before the log: what was written before the end is then surely sent.
    if (seen.lastSeq >= next) {
      next = await sendFrom(sources, id, next, response, ({ seq, text }) => event("log", text.replace(/\n$/, ""), seq));
    }
    if (seen.state !== null && seen.state !== state) {
      state = seen.state;
      await say(response, event("state", printable(JSON.stringify({ state, because: seen.because }))));
    }
    if (seen.isFinal) {
      await say(response, event("end", state));
      break;
    }
    if (seen.isHeartbeat) await say(response, ": still here\n\n");
  }
  response.end();
}

/** A chunk at a time, however slowly they are taken: no client makes more of the log stand in memory. @returns the seq after them */
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
    await say(response, textOf(chunk));
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

/** Resolves when the client takes it, or has gone: then it will never drain. */
async function say(response: Response, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.once("drain", go).once("close", go);
  });
}
