import { flagValues, mountSources } from "./check.ts";
import type { Instruction, Script } from "./instruction.ts";
import { parsePlatform } from "./platform.ts";
import { expand, type Variables } from "./shell.ts";
import { DockerfileError, located } from "./text.ts";

/** A stage or an image from which an instruction takes files. */
export interface Source {
  name: string;
  /** Whether a number names a stage. */
  byNumber: boolean;
  line: number;
  keyword: string;
}

export interface Stage {
  /** In lower case, as BuildKit compares it. */
  name: string | null;
  /** As it is written. */
  writtenName: string | null;
  /** A stage or an image, with variables expanded. Null: only the engine knows it. */
  base: string | null;
  /** From `--platform`. Null: none is given, or only the engine knows it. */
  platform: string | null;
  line: number;
  sources: Source[];
  args: Set<string>;
  /** What its ONBUILDs add to the stages that use it as their base. */
  triggers: { sources: Source[]; args: Set<string> };
}

export interface Stages {
  stages: Stage[];
  /** The names of the ARGs above the first FROM. */
  globals: Set<string>;
}

/**
 * The stages of a Dockerfile, and what each is made from.
 * @param given build arguments: they replace the defaults of ARGs
 * @param predefined variables that are set before the first line
 * @throws DockerfileError if BuildKit would refuse the file
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

/** The names in an ARG instruction: each argument is `NAME` or `NAME=value`. */
export function argNames({ args }: Instruction): string[] {
  return args.map((arg) => arg.split("=", 1)[0] ?? "").flatMap((name) => [name, ...unquoted(name)]);
}

/** Older versions of BuildKit remove quotes from a name. */
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
    else if (equals >= 0) values.set(name, expanded(arg.slice(equals + 1), { escapeChar, variables: values }));
  }
}

/** The expanded text. Null: only the engine knows it. @throws DockerfileError */
function expanded(text: string, rules: { escapeChar: string; variables: Variables }): string | null {
  const expansion = expand(text, rules);
  if (expansion.kind === "error") throw new DockerfileError(`${text.slice(0, 100)}: ${expansion.message}`);
  return expansion.kind === "unknown" ? null : expansion.text;
}

function readFrom(instruction: Instruction, rules: { escapeChar: string; variables: Variables }): Stage {
  const [written = "", , name = null] = instruction.args;
  const base = expanded(written, rules);
  if (base === "") throw new DockerfileError(`the base ${written.slice(0, 100)} is empty: its variables have no value`);
  const [writtenPlatform = ""] = flagValues(instruction, "platform");
  const platform = writtenPlatform === "" ? null : expanded(writtenPlatform, rules);
  if (platform === "")
    throw new DockerfileError(`the platform ${writtenPlatform.slice(0, 100)} is empty: its variables have no value`);
  return {
    name: name?.toLowerCase() ?? null,
    writtenName: name,
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
    throw new DockerfileError(
      "--from takes no variables and no quotes: use them in a FROM … AS <stage>, and name that stage",
    );
  return [{ name, byNumber: true, line, keyword }];
}
