import { type Instruction, readInstructions } from "./instructions.ts";

/** What a Dockerfile says of the images it builds on. */
export interface DockerfileFacts {
  /** References as they are pulled, each once, in order: bases and the images that COPY and RUN take files from. */
  images: string[];
  /** Names that any ARG declares. */
  args: Set<string>;
  /** The image of a `# syntax=` line, which BuildKit fetches by itself. */
  syntax: string | null;
}

export interface DockerfileOptions {
  args: Record<string, string>;
  /** As in `linux/amd64`: what `$TARGETPLATFORM` and its like come to. */
  platform: string;
  /** The classic builder builds every stage; BuildKit only those that the last one needs. */
  everyStage: boolean;
}

interface Stage {
  name: string | null;
  /** Its base and what it copies from, expanded: stage names, stage numbers or images. */
  sources: string[];
}

/**
 * Reads what a build has to fetch, after Docker's Dockerfile reference. It never fails: what it cannot understand is left
 * to the engine, whose own message then tells.
 */
export function readDockerfile(text: string, options: DockerfileOptions): DockerfileFacts {
  const { instructions, directives } = readInstructions(text);
  const given = new Map(Object.entries(options.args));
  const globals = new Map(Object.entries(platformArgs(options.platform)));
  const args = new Set<string>();
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    const stage = stages.at(-1);
    if (instruction.keyword === "ARG") {
      for (const [name, value] of declared(instruction)) {
        args.add(name);
        if (stage) continue;
        const comesTo = given.get(name) ?? (value === null ? undefined : expand(value, globals));
        if (comesTo !== undefined) globals.set(name, comesTo);
      }
    } else if (instruction.keyword === "FROM") {
      stages.push(readFrom(instruction, globals));
    } else {
      stage?.sources.push(...sourcesOf(instruction));
    }
  }
  const images = imagesOf(stages, options.everyStage ? stages.map((_, index) => index) : [stages.length - 1]);
  return { images, args, syntax: directives.get("syntax") ?? null };
}

function readFrom(instruction: Instruction, globals: Map<string, string>): Stage {
  const words = instruction.rest.split(/\s+/).filter((word) => !word.startsWith("--"));
  const [base = "", as = "", name = null] = words;
  return {
    name: as.toLowerCase() === "as" && name !== null ? name.toLowerCase() : null,
    sources: [expand(unquote(base), globals)],
  };
}

/** `ARG A=1 B="two words" C`. */
function declared({ rest }: Instruction): [string, string | null][] {
  const words = rest.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? [];
  return words.map((word) => {
    const equals = word.indexOf("=");
    return equals < 0 ? [word, null] : [word.slice(0, equals), unquote(word.slice(equals + 1))];
  });
}

function sourcesOf({ keyword, rest }: Instruction): string[] {
  if (keyword === "COPY") return [...rest.matchAll(/(?:^|\s)--from=(\S+)/g)].map((match) => unquote(match[1] ?? ""));
  if (keyword !== "RUN") return [];
  const mounts = [...rest.matchAll(/(?:^|\s)--mount=(\S+)/g)].map((match) => match[1] ?? "");
  return mounts.flatMap((mount) => mount.split(",").flatMap((part) => /^from=(.+)$/.exec(part)?.[1] ?? []));
}

/** Walks from the wanted stages to all they need. */
function imagesOf(stages: Stage[], wanted: number[]): string[] {
  const images = new Set<string>();
  const seen = new Set<number>();
  const visit = (index: number) => {
    if (seen.has(index)) return;
    seen.add(index);
    stages[index]?.sources.forEach((source, position) => {
      const stage = stageOf(source, stages.slice(0, index), position > 0);
      if (stage !== null) visit(stage);
      else if (isImage(source)) images.add(source);
    });
  };
  for (const index of wanted) visit(index);
  return [...images];
}

/** A later stage of one name hides an earlier one. Numbers name stages only in `--from`. */
function stageOf(source: string, before: Stage[], byNumber: boolean): number | null {
  const index = before.findLastIndex(({ name }) => name === source.toLowerCase());
  if (index >= 0) return index;
  return byNumber && /^\d+$/.test(source) && Number(source) < before.length ? Number(source) : null;
}

function isImage(source: string): boolean {
  // What could not be expanded is the engine's to complain about.
  return source !== "scratch" && /^[a-z0-9][\w.:/@-]*$/i.test(source) && !/[/:@]$/.test(source);
}

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`, `${NAME+other}`. */
function expand(text: string, values: Map<string, string>): string {
  return text.replace(
    /\\\$|\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})/g,
    (whole, plain: string | undefined, braced: string | undefined, operator: string | undefined, word = "") => {
      if (whole === "\\$") return "$";
      const value = values.get(plain ?? braced ?? "");
      const isSet = operator?.startsWith(":") ? Boolean(value) : value !== undefined;
      if (operator?.endsWith("-")) return isSet ? (value ?? "") : expand(word, values);
      if (operator?.endsWith("+")) return isSet ? expand(word, values) : "";
      return value ?? "";
    },
  );
}

/** What Docker predefines in the global scope ("Automatic platform ARGs in the global scope"). */
function platformArgs(platform: string): Record<string, string> {
  const [os = "", architecture = "", variant = ""] = platform.split("/");
  const each = { PLATFORM: platform, OS: os, ARCH: architecture, VARIANT: variant };
  return Object.fromEntries(
    ["BUILD", "TARGET"].flatMap((side) => Object.entries(each).map(([name, value]) => [side + name, value])),
  );
}

function unquote(text: string): string {
  return text.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
    double === undefined ? (single ?? "") : double.replace(/\\(["\\])/g, "$1"),
  );
}
