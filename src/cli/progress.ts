import { screenOf } from "./terminal.ts";

/** How often a terminal is updated. */
const REFRESH_MS = 200;
/** Elsewhere a line comes after this time, and then after twice the time of the line before. */
const FIRST_LINE_MS = 10_000;
const MAX_BAR_CHARS = 30;
const MIN_BAR_CHARS = 10;
/** The rate is that of this time, so that it follows a network that becomes slower. */
const RATE_WINDOW_MS = 10_000;
/** A rate of less time says nothing. */
const MIN_RATE_MS = 1_000;

/** The progress of a download. */
export interface Progress {
  /** Sets how many bytes an earlier download left. */
  begin(bytes: number): void;
  /** Sets the total number of bytes. */
  expect(bytes: number): void;
  add(bytes: number): void;
  end(): void;
}

/**
 * A progress bar on a terminal; elsewhere a few lines, and none for a short download.
 * @param total bytes; null if not known
 */
export function progressBar(
  total: number | null,
  out: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns"> = process.stderr,
  now: () => number = Date.now,
): Progress {
  const rate = new Rate(now);
  const { isTerminal, width } = screenOf(out);
  let seen = 0;
  let interval = isTerminal ? REFRESH_MS : FIRST_LINE_MS;
  let next = isTerminal ? 0 : now() + interval;
  return {
    begin(bytes) {
      seen = bytes;
      rate.begin(bytes);
    },
    expect(bytes) {
      total = bytes;
    },
    add(bytes) {
      seen += bytes;
      rate.add(seen);
      if (now() < next) return;
      if (!isTerminal) interval *= 2;
      next = now() + interval;
      const texts = textsOf(seen, total, rate.bytesPerSecond());
      if (!isTerminal) out.write(`${texts.join("  ")}\n`);
      else
        out.write(`\r${total === null ? texts.join("  ") : withBar(seen / Math.max(total, 1), texts, width)}\u001b[K`);
    },
    end() {
      if (isTerminal) out.write("\r\u001b[K");
    },
  };
}

/** The transfer rate of the last seconds. */
class Rate {
  readonly #now: () => number;
  #samples: { at: number; seen: number }[];

  constructor(now: () => number) {
    this.#now = now;
    this.#samples = [{ at: now(), seen: 0 }];
  }

  begin(seen: number): void {
    this.#samples = [{ at: this.#now(), seen }];
  }

  add(seen: number): void {
    const at = this.#now();
    const last = this.#samples.at(-1);
    if (last !== undefined && this.#samples.length > 1 && at - last.at < REFRESH_MS) last.seen = seen;
    else this.#samples.push({ at, seen });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > RATE_WINDOW_MS) this.#samples.shift();
  }

  /** Null if too little is known. */
  bytesPerSecond(): number | null {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || this.#now() - first.at < MIN_RATE_MS) return null;
    return ((last.seen - first.seen) * 1_000) / (this.#now() - first.at);
  }
}

/** For example `12 %`, `1.2 MB of 9.8 MB`, `0.6 MB/s` and `ETA 0:14`: those that are known. */
function textsOf(seen: number, total: number | null, rate: number | null): string[] {
  const texts = total === null ? [size(seen)] : [`${percent(seen, total)} %`, `${size(seen)} of ${size(total)}`];
  if (rate !== null) texts.push(`${size(rate)}/s`);
  if (rate !== null && rate > 0 && total !== null) texts.push(`ETA ${duration((total - seen) / rate)}`);
  return texts;
}

/** The bar becomes shorter if the line would not fit: a line that wraps is never erased. */
function withBar(share: number, texts: string[], width: number): string {
  const text = texts.join("  ");
  const room = width - text.length - "[] ".length - 1;
  const chars = Math.min(MAX_BAR_CHARS, room);
  if (chars < MIN_BAR_CHARS) return text.slice(0, width - 1);
  const done = Math.floor(Math.min(1, share) * chars);
  return `[${"#".repeat(done)}${"-".repeat(chars - done)}] ${text}`;
}

function percent(seen: number, total: number): number {
  return Math.floor(Math.min(1, seen / Math.max(total, 1)) * 100);
}

function size(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** `0:07`, `12:34` or `1:02:03`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
