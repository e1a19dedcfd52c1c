import { UserError } from "../errors.ts";
import { syntaxOf } from "./directives.ts";
import type { Script } from "./instruction.ts";
import { parseDockerfile } from "./parse.ts";
import { platformVariables } from "./platform.ts";
import { isReference } from "./reference.ts";
import { argNames, readStages, type Source, type Stage } from "./stages.ts";
import { type Step, stepsOf } from "./step-line.ts";
import { DockerfileError, located } from "./text.ts";

/** An image that a build uses as a base or takes files from. */
export interface Base {
  /** The reference to pull. */
  reference: string;
  /** As in `linux/arm64`. Null: the platform of the build. */
  platform: string | null;
}

/** What a Dockerfile says about its build. */
export interface DockerfileFacts {
  /** Base images and images that COPY and RUN take files from, in order, each once. */
  images: Base[];
  /** The names of all ARGs. */
  args: Set<string>;
  /** The ARGs whose value the image may contain: those above the first FROM, and those in the stages that it needs. */
  usedArgs: Set<string>;
  /** The stage that becomes the image, as it is written: buildah takes no other form. Null: the last one. */
  target: string | null;
  /** The image of a `# syntax=` line. BuildKit pulls it by itself to read the file. */
  syntax: string | null;
  /** The path of the file. */
  file: string;
  /** Every instruction. Empty: another frontend has another grammar. */
  steps: Step[];
}

export interface DockerfileOptions {
  /** The path of the file, for errors. */
  file: string;
  /** Build arguments. Null: the value is not known yet. */
  args: Record<string, string | null>;
  /** The stage that becomes the image. Null: the last one. */
  target: string | null;
  /** As in `linux/amd64`, for `$TARGETPLATFORM` and similar variables. Null: not known. */
  platform: string | null;
  /** The engine's platform, for `$BUILDPLATFORM` and similar variables. */
  buildPlatform: string | null;
  /**
   * Whether every stage up to the target is built, as by the classic builder. BuildKit builds only the stages that the
   * target needs.
   */
  everyStage: boolean;
}

/**
 * Reads a Dockerfile as BuildKit does. What depends on something that only the engine knows is left to the engine.
 * @throws UserError `dockerfile-invalid` if BuildKit would refuse the file. The message names line and instruction.
 */
export function readDockerfile(text: string, options: DockerfileOptions): DockerfileFacts {
  const read = tryDockerfile(text, options);
  if (read.kind === "read") return read.facts;
  const { line, keyword, message } = read;
  const place = line === 0 ? "" : `, line ${line}${keyword === "" ? "" : ` (${keyword})`}`;
  throw new UserError("dockerfile-invalid", `${options.file}${place}: ${message}.`);
}

/** What was read of a Dockerfile, or the first thing for which BuildKit would refuse it. Line 0: the whole file. */
export type DockerfileReading =
  | { kind: "read"; facts: DockerfileFacts }
  | { kind: "invalid"; line: number; keyword: string; message: string };

/** As `readDockerfile`, without throwing. */
export function tryDockerfile(text: string, options: DockerfileOptions): DockerfileReading {
  const syntax = syntaxOf(text);
  try {
    const script = parseDockerfile(text);
    const { file } = options;
    return {
      kind: "read",
      facts: { ...factsOf(script, options), ...{ syntax, file, steps: stepsOf(script.instructions) } },
    };
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    // Another frontend may have another grammar.
    if (isForeign(syntax))
      return {
        kind: "read",
        facts: {
          ...{ images: [], args: allNamed(text), usedArgs: allNamed(text) },
          ...{ target: options.target, syntax, file: options.file, steps: [] },
        },
      };
    return { kind: "invalid", line: error.line, keyword: error.keyword.slice(0, 40), message: error.message };
  }
}

/**
 * The build arguments whose value the image may contain. It never fails: if the file cannot be read, every name in a
 * line that looks like an ARG counts. That may cost a build; the opposite error would give an image the wrong version.
 */
export function argsInImage(
  text: string,
  args: Record<string, string | null>,
  target: string | null = null,
): Set<string> {
  try {
    const options = { file: "", args, target, platform: null, buildPlatform: null, everyStage: false };
    return readDockerfile(text, options).usedArgs;
  } catch (error) {
    if (error instanceof UserError) return allNamed(text);
    throw error;
  }
}

/** Whether the syntax image is not BuildKit's own frontend, whose grammar is known here. */
function isForeign(syntax: string | null): boolean {
  return syntax !== null && !/(?:^|\/)docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(syntax);
}

function allNamed(text: string): Set<string> {
  const lines = text.match(/^[ \t]*(?:ONBUILD[ \t]+)?ARG[ \t].*$/gim) ?? [];
  return new Set(lines.flatMap((line) => line.match(/\w+/g)?.slice(1) ?? []));
}

function factsOf(script: Script, options: DockerfileOptions): Omit<DockerfileFacts, "syntax" | "file" | "steps"> {
  const args = new Set(
    script.instructions.flatMap(({ trigger, ...own }) => {
      const each = trigger ?? { ...own, trigger };
      return each.keyword === "ARG" ? argNames(each) : [];
    }),
  );
  // The engine gets only the arguments that an ARG declares.
  const given = new Map(Object.entries(options.args).filter(([name]) => args.has(name)));
  const last = script.instructions.findLast(({ keyword }) => keyword === "FROM");
  const predefined: [string, string | null][] = [
    ...platformVariables("BUILD", options.buildPlatform),
    ...platformVariables("TARGET", options.platform),
    ["TARGETSTAGE", options.target ?? last?.args[2]?.toLowerCase() ?? "default"],
  ];
  const values = new Map(
    predefined.map(([name, value]) => [name, given.has(name) ? (given.get(name) ?? null) : value]),
  );
  const { stages, globals } = readStages(script, given, values);
  const target = targetOf(stages, options.target);
  const walk = walkStages(stages, options.everyStage ? stages.slice(0, target + 1).map((_, at) => at) : [target]);
  const usedArgs = walk.isSure ? new Set([...globals, ...walk.args]) : args;
  const written = options.target === null ? null : (stages[target]?.writtenName ?? null);
  return { args, images: walk.images, usedArgs, target: written };
}

/** The index of the stage that becomes the image. @throws DockerfileError */
function targetOf(stages: Stage[], target: string | null): number {
  if (target === null) return stages.length - 1;
  const found = stages.findLastIndex(({ name }) => name === target.toLowerCase());
  if (found >= 0) return found;
  const names = stages.flatMap(({ name }) => (name === null ? [] : [name.slice(0, 100)]));
  throw new DockerfileError(
    `it has no stage ${JSON.stringify(target)}, which the pipeline names as target. ` +
      `Its stages are ${names.slice(0, 20).join(", ") || "without names"}`,
  );
}

interface Walk {
  images: Base[];
  args: Set<string>;
  /** No stage depends on something that only the engine knows. */
  isSure: boolean;
}

/** Walks from the wanted stages to everything that they need, bases first. @throws DockerfileError */
function walkStages(stages: Stage[], wanted: number[]): Walk {
  const { bases, byName } = findBases(stages);
  const images = new Map<string, Base>();
  const args = new Set<string>();
  let isSure = true;
  const seen = new Set<number>();
  const triggered = new Set<number>();
  const waiting: (number | Base)[] = [...wanted].reverse();

  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== "number") {
      if (!images.has(next.reference)) images.set(next.reference, next);
      continue;
    }
    const index = next;
    const stage = stages[index];
    if (stage === undefined || seen.has(index)) continue;
    seen.add(index);
    const base = bases[index];
    const needs: (number | Base)[] = [];
    if (stage.base === null) isSure = false;
    else if (base !== undefined) needs.push(base);
    else if (stage.base !== "scratch") needs.push({ reference: stage.base, platform: stage.platform });
    // The ONBUILDs of one stage give the same images to every stage that uses it.
    const triggers = base === undefined || triggered.has(base) ? undefined : stages[base]?.triggers;
    if (base !== undefined) triggered.add(base);
    for (const name of [...stage.args, ...(triggers?.args ?? [])]) args.add(name);
    for (const source of [...(triggers?.sources ?? []), ...stage.sources]) {
      const from = comesFrom(source, byName);
      if (typeof from !== "number") {
        if (from.reference !== "scratch") needs.push(from);
      } else if (from >= stages.length) {
        // After the last stage, BuildKit numbers the images in an order of its own.
        isSure = false;
      } else if (from < 0 || from >= index) throw unfinished(source);
      else needs.push(from);
    }
    for (const need of needs.reverse()) waiting.push(need);
  }
  return { images: [...images.values()], args, isSure };
}

/** For each stage the stage that is its base, and for each name the last stage with it. @throws DockerfileError */
function findBases(stages: Stage[]): { bases: (number | undefined)[]; byName: Map<string, number> } {
  const byName = new Map<string, number>();
  const bases = stages.map(({ base, name, line }, index) => {
    const found = base === null ? undefined : (byName.get(base) ?? byName.get(base.toLowerCase()));
    if (name !== null) byName.set(name, index);
    if (found === undefined && base !== null) located({ line, keyword: "FROM" }, () => requireReference(base));
    return found;
  });
  return { bases, byName };
}

/** The index of a stage, or an image. @throws DockerfileError */
function comesFrom(source: Source, byName: Map<string, number>): number | Base {
  if (source.byNumber && /^[-+]?\d+$/.test(source.name)) return Number(source.name);
  const stage = byName.get(source.name.toLowerCase());
  if (stage === undefined) located(source, () => requireReference(source.name));
  return stage ?? { reference: source.name, platform: null };
}

function unfinished({ name, line, keyword }: Source): DockerfileError {
  return new DockerfileError(`files are taken from the stage ${name.slice(0, 100)} before it ends`, line, keyword);
}

function requireReference(text: string): void {
  if (text !== "scratch" && !isReference(text))
    throw new DockerfileError(
      `${JSON.stringify(text.slice(0, 200))} is neither a stage nor the name of an image: invalid reference format`,
    );
}
