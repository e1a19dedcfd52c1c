/**
 * Reads a `.properties` file:
 * https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
 */
export function readProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const [, key = "", value = ""] = /^((?:\\[\s\S]|[^\\ \t\f=:])*)[ \t\f]*[=:]?[ \t\f]*([\s\S]*)$/.exec(line) ?? [];
    properties.set(unescaped(key), unescaped(value));
  }
  return properties;
}

/** A backslash at the end of a line joins the next line, unless the backslash is escaped. Comments are not joined. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open: string | null = null;
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, "");
    if (open === null && /^(?:$|[#!])/.test(line)) continue;
    const whole: string = (open ?? "") + line;
    const isOpen = /(?<!\\)(?:\\\\)*\\$/.test(whole);
    open = isOpen ? whole.slice(0, -1) : null;
    if (!isOpen) lines.push(whole);
  }
  return open === null ? lines : [...lines, open];
}

const NAMED: Record<string, string> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, code?: string, char = "") =>
    code === undefined ? (NAMED[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
