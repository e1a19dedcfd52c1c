import { setTimeout as delay } from "node:timers/promises";
import type { Request, Response } from "express";
import { printable } from "../delivery/printable.ts";
import { FINISHED, getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { readLog } from "../ledger/logs.ts";

const LOOK_EVERY = 400;
const HEARTBEAT = 15_000;

/** The log as it stands, as text. */
export async function sendLogText(ledger: Ledger, id: string, response: Response): Promise<void> {
  response.set({
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  for await (const { text } of chunksFrom(ledger, id, 1)) {
    if (response.destroyed) return;
    if (!response.write(text)) await drained(response);
  }
  response.end();
}

/**
 * The log as server-sent events: `log` events with a line each, `state` when it changes, `end` when nothing more will
 * come. `Last-Event-ID` goes on where a lost connection stopped.
 */
export async function sendLogEvents(ledger: Ledger, id: string, request: Request, response: Response): Promise<void> {
  response.set({ "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
  response.flushHeaders();
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  let next = Number(request.headers["last-event-id"] ?? 0) + 1 || 1;
  let state = "";
  let spokeAt = Date.now();
  const say = async (event: string, data: string, seq?: number): Promise<void> => {
    spokeAt = Date.now();
    const lines = data.split("\n").map((line) => `data: ${line}\n`);
    const text = `event: ${event}\n${seq === undefined ? "" : `id: ${seq}\n`}${lines.join("")}\n`;
    if (!response.write(text)) await drained(response);
  };
  while (!gone.signal.aborted) {
    // The state is read before the log: what was written before the end is then surely sent.
    const delivery = await getDelivery(ledger, id);
    for await (const { seq, text } of chunksFrom(ledger, id, next)) {
      next = seq + 1;
      await say("log", text.replace(/\n$/, ""), seq);
    }
    if (delivery !== null && delivery.state !== state) {
      state = delivery.state;
      await say("state", printable(JSON.stringify({ state, because: delivery.because })));
    }
    if (delivery === null || (FINISHED as readonly string[]).includes(delivery.state)) {
      await say("end", state);
      break;
    }
    if (Date.now() - spokeAt > HEARTBEAT) response.write(": still here\n\n");
    await delay(LOOK_EVERY, undefined, { signal: gone.signal }).catch(() => {});
  }
  response.end();
}

async function* chunksFrom(ledger: Ledger, id: string, from: number) {
  for (let next = from; ; ) {
    const chunks = await readLog(ledger, id, next);
    yield* chunks;
    const last = chunks.at(-1);
    if (last === undefined) return;
    next = last.seq + 1;
  }
}

/** A client that has gone will never drain. */
async function drained(response: Response): Promise<void> {
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.once("drain", go).once("close", go);
  });
}
