import { stripVTControlCharacters } from "node:util";
import { printable } from "../../src/delivery/printable.ts";
import type { Mask } from "../../src/observe/mask.ts";
import type { RunLog } from "../../src/run/run.ts";

/** The most that a delivery's log may hold. */
const CAP_BYTES = 10 * 1024 * 1024;
const FLUSH_BYTES = 64 * 1024;
const FLUSH_AFTER = 250;
/** How many characters of a longer line are kept: its end. */
const LINE_MAX = 16_384;
/** Characters before that, which are kept until secrets are masked: the cut may go through a secret. */
const SLACK = 16_384;
/** Marks where a line was cut. A NUL in the output itself is treated the same. */
const CUT = "\0";

export interface FlushedLog extends RunLog {
  /** Writes what is pending. Never throws: a log that cannot be kept must not fail a delivery. */
  flush(): Promise<void>;
}

/**
 * A delivery's log, kept in chunks through `append`. Lines are masked whole, so that a secret that arrives in two
 * pieces is hidden too; colours and other control characters are left out; past 10 MB only a note is kept.
 */
export function createRunLog(options: {
  append(text: string): Promise<void>;
  mask: Mask;
  /** Bytes that earlier attempts have written. */
  written?: number;
  onLost?(error: unknown): void;
}): FlushedLog {
  let pending = "";
  let written = options.written ?? 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const keep = (line: string): void => {
    if (written > CAP_BYTES) return;
    const text = `${hidden(line, options.mask)}\n`;
    written += Buffer.byteLength(text);
    pending += written > CAP_BYTES ? "… the log ends here: it reached 10 MB\n" : text;
    if (pending.length >= FLUSH_BYTES) void drain();
    else timer ??= setTimeout(() => void drain(), FLUSH_AFTER).unref();
  };
  const drain = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const text = pending;
    pending = "";
    if (text !== "")
      writing = writing.then(() => options.append(text)).catch((error: unknown) => options.onLost?.(error));
    return writing;
  };
  const lines = new Lines(keep);
  return {
    line: (text) => lines.line(text),
    write: (text) => lines.write(text),
    async flush() {
      lines.end();
      await drain();
    },
  };
}

/** A log for one of several works side by side: each line begins with its label. */
export function labelled(log: RunLog, label: string): RunLog {
  return new Lines((line) => log.line(`${label} | ${visible(line)}`));
}

/** Splits text into lines. */
class Lines implements RunLog {
  readonly #keep: (line: string) => void;
  #partial = "";

  constructor(keep: (line: string) => void) {
    this.#keep = keep;
  }

  line(text: string): void {
    this.end();
    for (const line of text.split("\n")) this.#keep(line);
  }

  write(text: string): void {
    const lines = (this.#partial + text).split(/\r?\n/);
    const last = lines.pop() ?? "";
    this.#partial = last.length > LINE_MAX + SLACK ? CUT + last.slice(-LINE_MAX - SLACK + 1) : last;
    for (const line of lines) this.#keep(line);
  }

  /** Ends the current line. */
  end(): void {
    if (this.#partial !== "") this.write("\n");
  }
}

/** A progress bar overwrites its line: only its last text is kept. */
function visible(line: string): string {
  return line.slice(line.lastIndexOf("\r", line.length - 2) + 1);
}

function hidden(line: string, mask: Mask): string {
  const at = line.indexOf(CUT);
  if (at < 0) return mask(clean(line));
  return mask(clean(line.slice(0, at))) + mask(clean(line.slice(at))).slice(SLACK);
}

function clean(line: string): string {
  return printable(stripVTControlCharacters(visible(line)).replace(/\p{Cc}/gu, (char) => (char === "\t" ? char : "")));
}
