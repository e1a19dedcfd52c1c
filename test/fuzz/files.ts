import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePipeline } from "../../src/config/pipeline.ts";
import { loadServerConfig } from "../../src/config/server.ts";
import { ConfigError, UserError } from "../../src/delivery/errors.ts";
import { Random } from "./random.ts";

export interface FileRun {
  inputs: number;
  /** Taken, and refused with an error of the kind that belongs to the file. */
  taken: number;
  refused: number;
  /** Anything else that was thrown, with what was read; the first few. */
  unexpected: string[];
  /** Processor time of the one that took longest. */
  longestMs: number;
}

/** Of the form that a notice's secret must have, so that it serves wherever one is put in. */
const SECRET = `whsec_${Buffer.from("canary of the environment").toString("base64")}`;

/** Reads so many spoilt pipelines and server files, by turns. */
export async function fuzzFiles({ inputs, seed }: { inputs: number; seed: number }): Promise<FileRun> {
  const random = new Random(seed);
  const env = Object.fromEntries([...serverFiles.join("").matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, SECRET]));
  const file = join(tmpdir(), `dd-fuzz-${process.pid}.yml`);
  const run: FileRun = { inputs, taken: 0, refused: 0, unexpected: [], longestMs: 0 };
  try {
    for (let count = 0; count < inputs; count += 1) {
      const isServer = count % 2 === 1;
      const text = spoilt(random.pick(isServer ? serverFiles : pipelines), random);
      if (isServer) await writeFile(file, text);
      const read = () => (isServer ? loadServerConfig({ path: file, env }) : parsePipeline(text));
      judge(run, text, read, isServer ? ConfigError : UserError);
    }
  } finally {
    await rm(file, { force: true });
  }
  return run;
}

function judge(run: FileRun, text: string, read: () => unknown, kind: typeof ConfigError | typeof UserError): void {
  const before = process.cpuUsage();
  try {
    read();
    run.taken += 1;
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    if (error instanceof kind && told.length < 20_000 && !told.includes(SECRET)) run.refused += 1;
    else if (run.unexpected.length < 10) run.unexpected.push(`${told.slice(0, 300)}\n${text.slice(0, 500)}`);
  }
  const { user, system } = process.cpuUsage(before);
  run.longestMs = Math.max(run.longestMs, (user + system) / 1000);
}

/** The documentation's own examples, so that they cover every key. */
const examples = ["configuration.md", "pipeline.md"].flatMap((page) => {
  const text = readFileSync(new URL(`../../docs/reference/${page}`, import.meta.url), "utf8");
  return [...text.matchAll(/^```yaml\n([\s\S]+?)^```/gm)].map(([, example = ""]) => example);
});
const pipelines = examples.filter((text) => text.startsWith("# .deliverd.yml"));
const serverFiles = examples.filter((text) => text.startsWith("# deliverd.yml"));

const LINES = [
  "__proto__: { polluted: true }",
  "constructor: { prototype: { polluted: true } }",
  "<<: *x",
  "<<: { a: 1 }",
  "&x x: *x",
  "? [a, b]\n: c",
  "- - - - -",
  "!!js/function 'function(){}'",
  "!!binary aGk=",
  "--- ",
  "...",
  "%YAML 1.1",
  "\t- tab",
  "key: |\n  block",
  "key: >-",
  "\u0000",
  "\u001b[31m: red",
  "\ud800: x",
  "é: \u202e",
  `long: ${"x".repeat(100_000)}`,
];
const put = (name: string) => `$\{${name}}`;
const VALUES = [
  ...["null", "~", "true", "yes", "1e999", "-0", "0x10", "1_000", ".inf", "2024-01-01", "[]", "{}", "''", '"\\u0000"'],
  ...[
    "*x",
    "&x y",
    "!t z",
    "@a",
    "`b`",
    put("NPM_READ"),
    put("file:/etc/passwd"),
    put("file:/proc/self/environ"),
    "${",
  ],
  ...["../..", "/etc/passwd", "http://169.254.169.254/", "git@host:x", "99999999999999999999d", "(a+)+$", "**/**/**"],
  "[".repeat(20_000),
  "{".repeat(20_000),
  "{a: ".repeat(5_000),
  "'",
  '"',
  `[${"&a [x],".repeat(500)}]`,
  `[${"*a,".repeat(500)}]`,
];

function spoilt(text: string, random: Random): string {
  const lines = text.split("\n");
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const at = random.below(lines.length);
    const line = lines[at] ?? "";
    const kind = random.below(9);
    if (kind === 0) lines.splice(at, 1);
    else if (kind === 1) lines.splice(at, 0, line);
    else if (kind === 2) lines.splice(at, 0, `${" ".repeat(random.below(8))}${random.pick(LINES)}`);
    else if (kind === 3) lines[at] = `${" ".repeat(random.below(40))}${line.trim()}`;
    else if (kind === 4) lines[at] = line.slice(0, random.below(line.length + 1));
    else if (kind === 5) lines[at] = line.replace(/[\w.*/"-]+(?=[\s,}\]]*$)/, () => random.pick(VALUES));
    else if (kind === 6) lines[at] = line.replace(/:(\s|$)/, () => `: ${random.pick(VALUES)} `);
    else if (kind === 7) lines[at] = line.replace(/\w/, () => String.fromCharCode(random.below(0x250)));
    else lines.splice(at, 0, ...Array<string>(random.pick([2, 50, 2_000])).fill(line));
  }
  return lines.join("\n");
}
