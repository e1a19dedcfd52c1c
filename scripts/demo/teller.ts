import { stripVTControlCharacters } from "node:util";

/** Tells the demo to the person in front of it: steps with the seconds since the start, facts and foreign output below them. */
export interface Teller {
  title(text: string): void;
  /** What is going on now, and what is to blame if it fails. */
  step(name: string, text?: string): void;
  /** One fact about the step. */
  fact(label: string, text: string): void;
  /** What somebody else printed. */
  quote(text: string): void;
  done(text: string): void;
  failed(text: string): void;
  /** The step that was told last. */
  current(): string;
}

export function createTeller(out: NodeJS.WriteStream = process.stdout): Teller {
  const startedAt = performance.now();
  const coloured = out.isTTY === true && !process.env.NO_COLOR;
  const paint = (code: number, text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)}s`.padStart(6);
  const say = (line: string) => out.write(`${line}\n`);
  let current = "start";
  return {
    title: (text) => say(paint(BOLD, text)),
    step(name, text = "") {
      current = name;
      say(`${paint(GREY, seconds())}  ${paint(BOLD, name.padEnd(20))} ${text}`.trimEnd());
    },
    fact: (label, text) => say(`        ${paint(GREY, label.padEnd(20))} ${text}`),
    quote(text) {
      for (const line of text.replace(/\n$/, "").split("\n")) {
        say(`        ${paint(GREY, "│")} ${stripVTControlCharacters(line)}`);
      }
    },
    done: (text) => say(`${paint(GREY, seconds())}  ${paint(GREEN, text)}`),
    failed: (text) => say(`${paint(GREY, seconds())}  ${paint(RED, text)}`),
    current: () => current,
  };
}

const BOLD = 1;
const RED = 31;
const GREEN = 32;
const GREY = 90;
