import { heredocOf } from "./heredoc.ts";
import type { Instruction } from "./instruction.ts";
import { DockerfileError } from "./text.ts";

type FlagKind = "text" | "texts" | "boolean";

const COPIES: Record<string, FlagKind> = { chown: "text", chmod: "text", link: "boolean", exclude: "texts" };

/** The flags that each instruction knows. */
const FLAGS: Record<string, Record<string, FlagKind>> = {
  ADD: { ...COPIES, "keep-git-dir": "boolean", checksum: "text", unpack: "boolean" },
  COPY: { ...COPIES, from: "text", parents: "boolean" },
  FROM: { platform: "text" },
  HEALTHCHECK: { interval: "text", timeout: "text", "start-period": "text", "start-interval": "text", retries: "text" },
  RUN: { mount: "texts", network: "text", security: "text", device: "texts" },
};

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

/** The values of a flag, in order. */
export function flagValues({ flags }: Pick<Instruction, "flags">, name: string): string[] {
  return flags.flatMap((flag) => (flag.startsWith(`--${name}=`) ? [flag.slice(name.length + 3)] : []));
}

/**
 * Checks one instruction by BuildKit's rules (frontend/dockerfile/instructions). An unknown flag is left to the
 * engine: a newer one may know it.
 * @throws DockerfileError
 */
export function checkInstruction(instruction: Instruction): void {
  const { keyword, args, isJson } = instruction;
  const requireThat = (fits: boolean, expected: string) => {
    if (!fits) throw new DockerfileError(`${keyword} requires ${expected}`);
  };
  switch (keyword) {
    case "ADD":
    case "COPY":
      requireThat(args.length >= 2, "at least two arguments, the last one being the destination");
      checkFlags(instruction);
      if (isHeredoc(args.at(-1) ?? ""))
        throw new DockerfileError(`${keyword} cannot have a here-document as destination`);
      return;
    case "ARG":
      requireThat(args.length > 0, "at least one argument");
      if (args.some((arg) => arg.startsWith("="))) throw new DockerfileError("ARG names can not be blank");
      return;
    case "ENV":
    case "LABEL":
      checkFlags(instruction);
      requireThat(args.length > 0, "at least one argument");
      if (args.some((arg, index) => index % 2 === 0 && arg === ""))
        throw new DockerfileError(`${keyword} names can not be blank`);
      return;
    case "FROM":
      checkFrom(args);
      checkFlags(instruction);
      return;
    case "ONBUILD":
      requireThat(args.length > 0, "at least one argument");
      checkFlags(instruction);
      if (["ONBUILD", "FROM", "MAINTAINER"].includes(args[0] ?? ""))
        throw new DockerfileError(`${args[0]} isn't allowed as an ONBUILD trigger`);
      return;
    case "MAINTAINER":
    case "STOPSIGNAL":
    case "USER":
    case "WORKDIR":
      requireThat(args.length === 1, "exactly one argument");
      checkFlags(instruction);
      return;
    case "EXPOSE":
    case "VOLUME":
      requireThat(args.length > 0, "at least one argument");
      checkFlags(instruction);
      if (keyword === "VOLUME" && args.some((arg) => arg.trim() === ""))
        throw new DockerfileError("VOLUME can not be an empty string");
      return;
    case "SHELL":
      checkFlags(instruction);
      requireThat(args.length > 0, "at least one argument");
      if (!isJson) throw new DockerfileError("SHELL requires the arguments to be in JSON form");
      return;
    case "HEALTHCHECK":
      checkHealth(instruction);
      return;
    case "CMD":
    case "ENTRYPOINT":
      checkFlags(instruction);
      return;
    case "RUN":
      checkFlags(instruction);
      checkRun(instruction);
      return;
    default:
      throw new DockerfileError(`unknown instruction: ${keyword.slice(0, 100)}`);
  }
}

function checkFrom(args: string[]): void {
  if (args.length === 1) return;
  const [, as = "", name = ""] = args;
  if (args.length !== 3 || as.toLowerCase() !== "as")
    throw new DockerfileError("FROM requires either one or three arguments");
  if (!STAGE_NAME.test(name.toLowerCase()))
    throw new DockerfileError(`${JSON.stringify(name.slice(0, 100))} can not be the name of a stage`);
}

function checkHealth(instruction: Instruction): void {
  const [type = "", ...command] = instruction.args;
  if (type === "") throw new DockerfileError("HEALTHCHECK requires at least one argument");
  if (type.toUpperCase() === "NONE") {
    if (command.length > 0) throw new DockerfileError("HEALTHCHECK NONE takes no arguments");
    return;
  }
  checkFlags(instruction);
  if (type.toUpperCase() !== "CMD")
    throw new DockerfileError(`HEALTHCHECK takes CMD or NONE, not ${type.slice(0, 100)}`);
  if (command.length === 0) throw new DockerfileError("HEALTHCHECK CMD requires a command");
}

function checkRun(instruction: Instruction): void {
  const oneOf = (flag: string, known: string[]) => {
    for (const value of flagValues(instruction, flag))
      if (!known.includes(value))
        throw new DockerfileError(`--${flag} can not be ${JSON.stringify(value.slice(0, 100))}`);
  };
  oneOf("network", ["default", "none", "host"]);
  oneOf("security", ["sandbox", "insecure"]);
  mountSources(instruction);
}

/** The stages and images from which `RUN --mount` takes files. @throws DockerfileError */
export function mountSources(instruction: Pick<Instruction, "flags">): string[] {
  return flagValues(instruction, "mount").flatMap((mount) =>
    fieldsOf(mount).flatMap((field) => {
      const equals = field.indexOf("=");
      if (equals < 0 || field.slice(0, equals).toLowerCase() !== "from") return [];
      const source = field.slice(equals + 1);
      const dollar = source.indexOf("$");
      if (dollar >= 0 && dollar !== source.length - 1)
        throw new DockerfileError(
          "from= of a --mount takes no variables: use them in a FROM … AS <stage>, and name that stage",
        );
      return source === "" ? [] : [source];
    }),
  );
}

/** Splits one line of comma-separated values. A field may be in double quotes. */
function fieldsOf(text: string): string[] {
  const fields: string[] = [];
  if (text === "") throw new DockerfileError("a --mount is empty");
  for (let at = 0; at <= text.length; at++) {
    if (text[at] !== '"') {
      const comma = text.indexOf(",", at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      if (field.includes('"')) throw new DockerfileError("a --mount has a quote inside of a field");
      fields.push(field);
      at += field.length;
      continue;
    }
    let field = "";
    for (at += 1; ; at++) {
      if (at >= text.length) throw new DockerfileError("a --mount has a quote that is not closed");
      if (text[at] === '"') {
        if (text[at + 1] !== '"') break;
        at += 1;
      }
      field += text[at];
    }
    at += 1;
    if (at < text.length && text[at] !== ",") throw new DockerfileError("a --mount has text after a closed quote");
    fields.push(field);
  }
  return fields;
}

function isHeredoc(word: string): boolean {
  try {
    return heredocOf(word) !== null;
  } catch (error) {
    if (error instanceof DockerfileError) return false;
    throw error;
  }
}

function checkFlags({ keyword, flags }: Instruction): void {
  const known = FLAGS[keyword] ?? {};
  const seen = new Set<string>();
  for (const flag of flags) {
    const equals = flag.indexOf("=");
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? null : flag.slice(equals + 1);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) continue;
    if (seen.has(name) && kind !== "texts") throw new DockerfileError(`--${name} is there twice`);
    seen.add(name);
    if (kind !== "boolean" && value === null) throw new DockerfileError(`--${name} has no value`);
    if (kind === "boolean" && !["true", "false", undefined].includes(value?.toLowerCase()))
      throw new DockerfileError(`--${name} must be true or false`);
  }
}
