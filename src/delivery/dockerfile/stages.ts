import { flagValues, mountSources } from "./check.ts";
import type { Instruction, Script } from "./instruction.ts";
import { parsePlatform } from "./platform.ts";
import { expand, type Variables } from "./shell.ts";
import { DockerfileError, located } from "./text.ts";

/** What an instruction takes files from: a stage or an image. */
export interface Source {
  name: string;
  /** A number names a stage. */
  byNumber: boolean;
  line: number;
  keyword: string;
}

export interface Stage {
  name: string | null;
  /** A stage or an image, its variables expanded; null: only the engine knows. */
  base: string | null;
  /** Of `--platform`; null: none is named, or only the engine knows it. */
  platform: string | null;
  line: number;
  sources: Source[];
  args: Set<string>;
  /** What its ONBUILDs bring to the stages that stand on it. */
  triggers: { sources: Source[]; args: Set<string> };
}

export interface Stages {
  stages: Stage[];
  /** Names that ARGs above the first FROM declare. */
  globals: Set<string>;
}

/**
 * The stages of a Dockerfile, and what each is made from.
 * @param given build arguments, each in the place of its ARG's default
 * @param predefined what is set before the first line
 * @throws DockerfileError where BuildKit refuses the file
 */
export function readStages({ instructions, escapeChar }: Script, given: Variables, predefined: Variables): Stages {
  const values = new Map(predefined);
  const globals = new Set<string>();
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    located(instruction, () => {
      const stage = stages.at(-1);
      if (instruction.keyword === "FROM") stages.push(readFrom(instruction, { escapeChar, variables: values }));
      else if (stage !== undefined) readInto(stage, instruction, escapeChar);
      else if (instruction.keyword === "ARG") declare(instruction, globals, given, values, escapeChar);
      else throw new DockerfileError(`${instruction.keyword} stands before the first FROM`);
    });
  }
  if (stages.length === 0) throw new DockerfileError("there is no FROM in it");
  return { stages, globals };
}

/** Of `NAME` and `NAME=value`. */
export function argNames({ args }: Instruction): string[] {
  return args.map((arg) => arg.split("=", 1)[0] ?? "").flatMap((name) => [name, ...unquoted(name)]);
}

/** Older versions of BuildKit take the quotes of a name away. */
function unquoted(name: string): string[] {
  if (/^\w*$/.test(name)) return [];
  const plain = expand(name, { escapeChar: "\\", variables: new Map() });
  return plain.kind === "text" && plain.text !== name ? [plain.text] : [];
}

function declare(
  instruction: Instruction,
  globals: Set<string>,
  given: Variables,
  values: Map<string, string | null>,
  escapeChar: string,
): void {
  for (const arg of instruction.args) {
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    globals.add(name);
    if (given.has(name)) values.set(name, given.get(name) ?? null);
    else if (equals >= 0) values.set(name, comesTo(arg.slice(equals + 1), { escapeChar, variables: values }));
  }
}

/** Null: only the engine knows. @throws DockerfileError */
function comesTo(text: string, rules: { escapeChar: string; variables: Variables }): string | null {
  const expansion = expand(text, rules);
  if (expansion.kind === "error") throw new DockerfileError(`${text.slice(0, 100)}: ${expansion.message}`);
  return expansion.kind === "unknown" ? null : expansion.text;
}

function readFrom(instruction: Instruction, rules: { escapeChar: string; variables: Variables }): Stage {
  const [written = "", , name = null] = instruction.args;
  const base = comesTo(written, rules);
  if (base === "") throw new DockerfileError(`the base ${written.slice(0, 100)} comes to nothing`);
  const [writtenPlatform = ""] = flagValues(instruction, "platform");
  const platform = writtenPlatform === "" ? null : comesTo(writtenPlatform, rules);
  if (platform === "") throw new DockerfileError(`the platform ${writtenPlatform.slice(0, 100)} comes to nothing`);
  return {
    name: name?.toLowerCase() ?? null,
    base: writtenPlatform !== "" && platform === null ? null : base,
    platform: platform === null ? null : parsePlatform(platform),
    line: instruction.line,
    sources: [],
    args: new Set(),
    triggers: { sources: [], args: new Set() },
  };
}

function readInto(stage: Stage, instruction: Instruction, escapeChar: string): void {
  const into = instruction.trigger === null ? stage : stage.triggers;
  const from = instruction.trigger ?? instruction;
  if (from.keyword === "ARG") for (const name of argNames(from)) into.args.add(name);
  into.sources.push(...sourcesOf(from, escapeChar));
}

function sourcesOf(instruction: Instruction, escapeChar: string): Source[] {
  const { keyword, line } = instruction;
  if (keyword === "RUN") return mountSources(instruction).map((name) => ({ name, byNumber: false, line, keyword }));
  if (keyword !== "COPY") return [];
  const [name = ""] = flagValues(instruction, "from");
  if (name === "") return [];
  const plain = expand(name, { escapeChar, variables: new Map() });
  if (plain.kind !== "text" || plain.text !== name)
    throw new DockerfileError("--from knows no variables and no quotes: name a stage after them with FROM instead");
  return [{ name, byNumber: true, line, keyword }];
}
