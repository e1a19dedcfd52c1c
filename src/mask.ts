/** Hides secrets in text. Built once from the configuration's secrets; used by every writer of logs, errors and answers. */
export type Mask = (text: string) => string;

const HIDDEN = "[secret]";
/** Shorter values would blot out ordinary words; the configuration refuses secrets of under this length where it can. */
const SHORTEST = 4;

/** Each secret is hidden as it is, line by line, URL-encoded, and in the three alignments that base64 can give it. */
export function createMask(secrets: Iterable<string>): Mask {
  const needles = new Set<string>();
  for (const secret of secrets) {
    for (const part of [secret, ...secret.split(/\r?\n/)]) {
      if (part.length < SHORTEST) continue;
      needles.add(part);
      needles.add(encodeURIComponent(part));
      needles.add(JSON.stringify(part).slice(1, -1));
      for (const form of base64Forms(part)) needles.add(form);
    }
  }
  // Longest first, so that a secret that holds another is hidden whole.
  const ordered = [...needles].filter((needle) => needle.length >= SHORTEST).sort((a, b) => b.length - a.length);
  if (ordered.length === 0) return (text) => text;
  const pattern = new RegExp(ordered.map(escapeRegExp).join("|"), "g");
  return (text) => text.replace(pattern, HIDDEN);
}

/** Base64 of a text in the middle of others: the outer characters depend on the neighbours, the inner ones do not. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  if (bytes.length < 8) return [];
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const from = shift === 0 ? 0 : shift + 1;
    const until = encoded.length - ((bytes.length + shift) % 3 === 0 ? 0 : 1);
    const inner = encoded.slice(from, until);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
