import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Every document, as its path from the root of the repository. */
export const documents: readonly string[] = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].sort();

export function textOf(document: string): string {
  return readFileSync(join(root, document), "utf8");
}

/** The links of a document to files and anchors of this repository, outside code. */
export function linksOf(text: string): { link: string; path: string; anchor: string | undefined }[] {
  const links = withoutCode(text).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g);
  return [...links].map(([link, path = "", anchor]) => ({ link, path, anchor }));
}

/** The anchors that GitHub makes of headings. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Fenced code blocks of a language: the text between the fences. */
export function blocksOf(text: string, language: string): string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"));
  return [...blocks].map(([, block = ""]) => block);
}

/** The cells of each row of a table whose first cell holds code: the header and other tables are left out. */
export function rowsOf(text: string): string[][] {
  const rows = text.split("\n").filter((line) => /^\| \[?`/.test(line));
  return rows.map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The code in a text, without its backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}

/**
 * The indented blocks of commands under each heading, one command an item: lines that end in a backslash are joined as a
 * shell does, and comments are left out.
 */
export function commandsOf(text: string): { heading: string; commands: string[] }[] {
  const blocks: { heading: string; commands: string[] }[] = [];
  let heading = "";
  let open: string[] | null = null;
  let isAfterBlank = true;
  for (const line of text.replace(/^```[\s\S]*?^```$/gm, "").split("\n")) {
    heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading;
    const code = /^ {4}(.+)$/.exec(line)?.[1];
    if (code === undefined) {
      open = null;
    } else if (open !== null) {
      open.push(code);
    } else if (isAfterBlank) {
      open = [code];
      blocks.push({ heading, commands: open });
    }
    isAfterBlank = line.trim() === "";
  }
  return blocks.map(({ heading, commands }) => ({ heading, commands: joined(commands) }));
}

function joined(lines: string[]): string[] {
  const whole = lines
    .join("\n")
    .replace(/\\\n */g, "")
    .split("\n");
  return whole.map((line) => line.replace(/\s+# .*$/, "").trim()).filter((line) => line !== "");
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "").replace(/^ {4}.*$/gm, "");
}
