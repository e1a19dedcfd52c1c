import { expand } from "./shell.ts";
import { DockerfileError } from "./text.ts";

export interface Heredoc {
  name: string;
  /** Whether variables in it are expanded: no part of its name is quoted. */
  expands: boolean;
  /** `<<-`: tabs at the start of its lines are ignored. */
  chomps: boolean;
  content: string;
}

const NOTHING_SET = { escapeChar: "\\", variables: new Map<string, string>() };

/** The here-documents that a line starts, in order. @throws DockerfileError */
export function heredocsOf(line: string): Omit<Heredoc, "content">[] {
  if (!line.includes("<<")) return [];
  const lexed = expand(line, { ...NOTHING_SET, keeps: { quotes: true, escapes: true, unset: true } });
  // A line that the shell cannot read starts none.
  if (lexed.kind === "error") return [];
  if (lexed.kind === "unknown") throw new DockerfileError("the line nests too deep to be read");
  return lexed.words.flatMap((word) => heredocOf(word) ?? []);
}

/** Null: the word starts no here-document. @throws DockerfileError */
export function heredocOf(word: string): Omit<Heredoc, "content"> | null {
  const [, dash = "", rest = ""] = /^\d*<<(-?)[\t\n\f\r ]*([^<]*)$/.exec(word) ?? [];
  if (rest === "") return null;
  if (/^[\w.]+$/.test(rest)) return { name: rest, expands: true, chomps: dash === "-" };
  const plain = expand(rest, { ...NOTHING_SET, keeps: { quotes: false, escapes: false, unset: true } });
  const raw = expand(rest, { ...NOTHING_SET, keeps: { quotes: true, escapes: false, unset: true } });
  if (plain.kind !== "text" || raw.kind !== "text") {
    const message = plain.kind === "error" ? plain.message : "the name of a here-document nests too deep to be read";
    throw new DockerfileError(message);
  }
  const [name, ...others] = plain.words;
  if (name === undefined || others.length > 0) return null;
  if (raw.words.length !== 1) throw new DockerfileError(`the name of the here-document ${rest} cannot be read`);
  const quotes = (text: string) => text.replace(/[^'"]/g, "").length;
  return { name, expands: quotes(name) === quotes(raw.words[0] ?? ""), chomps: dash === "-" };
}
