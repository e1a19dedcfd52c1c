import { once } from "node:events";
import type { Response } from "express";
import type { Ledger } from "../ledger/ledger.ts";
import { lastLogSeq, readLog } from "../ledger/logs.ts";
import { html, type Markup } from "./html.ts";

/** The page of a delivery shows this much of the end of its log. */
const TAIL_LINES = 200;
const TAIL_CHARS = 40_000;
/** Chunks at the end of a log that are read for its tail. */
const TAIL_CHUNKS = 40;
/** A browser lays out one block at a time. The script of the pages finds a line by this number. */
const LINES_PER_BLOCK = 500;
/** Escape sequences that colour text or move a cursor (ECMA-48), and links of terminals (OSC 8). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;

/** The last lines of a log, and the link to all of it. */
export async function logTail(ledger: Ledger, id: string): Promise<Markup> {
  const last = await lastLogSeq(ledger, id);
  if (last === 0) return html`<h2>Log</h2><p>It is empty.</p>`;
  let text = "";
  for (let seq = last; seq > Math.max(0, last - TAIL_CHUNKS); seq--) {
    const [chunk] = await readLog(ledger, id, seq, 1);
    text = (chunk?.text ?? "") + text;
    if (text.length > TAIL_CHARS && text.split("\n").length > TAIL_LINES) break;
  }
  const lines = plain(text)
    .split("\n")
    .slice(-TAIL_LINES - 1)
    .join("\n")
    .slice(-TAIL_CHARS);
  return html`<h2>Log</h2><p><a href="/deliveries/${id}/log">The whole log</a> · <a href="/api/v1/deliveries/${id}/log">as text</a></p>
<div class="log"><pre tabindex="0" aria-label="The end of the log">${lines}</pre></div>`;
}

/** Log text as people read it, without colours. A bare carriage return overwrote its line. */
function plain(text: string): string {
  return text.replace(ESCAPES, "").replace(/\r+\n/g, "\n").replace(/\r/g, "\n");
}

/** Writes a log as blocks of lines. It reads one chunk at a time, so that a slow client keeps no more in memory. */
export async function writeLogBlocks(ledger: Ledger, id: string, response: Response): Promise<number> {
  let lines: string[] = [];
  let rest = "";
  let count = 0;
  const flush = async () => {
    if (lines.length === 0) return;
    const block = html`<pre id="L${count + 1}">${`${lines.join("\n")}\n`}</pre>`;
    count += lines.length;
    lines = [];
    if (!response.write(block.text)) await Promise.race([once(response, "drain"), once(response, "close")]);
  };
  for (let next = 1; !response.destroyed; ) {
    const [chunk] = await readLog(ledger, id, next, 1);
    if (chunk === undefined) break;
    next = chunk.seq + 1;
    const parts = (rest + plain(chunk.text)).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      lines.push(line);
      if (lines.length === LINES_PER_BLOCK) await flush();
    }
  }
  if (rest !== "") lines.push(rest);
  await flush();
  return count;
}
