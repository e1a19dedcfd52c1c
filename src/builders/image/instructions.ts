/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  /** Upper-case. */
  keyword: string;
  rest: string;
}

export interface Instructions {
  instructions: Instruction[];
  /** Parser directives: the `# name=value` lines at the very top, names in lower case. */
  directives: Map<string, string>;
}

/** Splits a Dockerfile as Docker's Dockerfile reference says: directives, comments, continued lines, here-documents. */
export function readInstructions(text: string): Instructions {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const directives = readDirectives(lines);
  const continued = directives.get("escape") === "`" ? /`[ \t]*$/ : /\\[ \t]*$/;
  const instructions: Instruction[] = [];
  let open = "";
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    // Comments and empty lines may stand between continued lines.
    if (/^\s*(#|$)/.test(line)) continue;
    if (continued.test(line)) {
      open += `${line.replace(continued, "")} `;
      continue;
    }
    const instruction = split(open + line);
    open = "";
    instructions.push(instruction);
    index = endOfHereDocuments(lines, index, instruction);
  }
  if (open.trim()) instructions.push(split(open));
  return { instructions, directives };
}

function split(line: string): Instruction {
  const [, keyword = "", rest = ""] = /^\s*(\S+)\s*(.*)$/s.exec(line) ?? [];
  return { keyword: keyword.toUpperCase(), rest: rest.trim() };
}

function readDirectives(lines: string[]): Map<string, string> {
  const directives = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^\s*#\s*([A-Za-z][\w-]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    // The first line that is none ends them.
    if (name === undefined || value === undefined || directives.has(name.toLowerCase())) break;
    directives.set(name.toLowerCase(), value);
  }
  return directives;
}

/** The index of the last line that belongs to the instruction's here-documents. */
function endOfHereDocuments(lines: string[], index: number, { keyword, rest }: Instruction): number {
  if (!["RUN", "COPY", "ADD"].includes(keyword)) return index;
  let end = index;
  for (const [, dash, name] of rest.matchAll(/(?<![<\w])<<(-?)["']?([A-Za-z_]\w*)["']?/g)) {
    const closes = (line: string) => (dash ? line.replace(/^\t+/, "") : line) === name;
    const found = lines.findIndex((line, at) => at > end && closes(line));
    // Without its end it is something else, such as a shift in arithmetic.
    if (found > 0) end = found;
  }
  return end;
}
