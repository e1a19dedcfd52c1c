/** Hides secrets in text. Built once from the configuration's secrets; used by every writer of logs, errors and answers. */
export type Mask = (text: string) => string;

const HIDDEN = "[secret]";
/** Shorter values would blot out ordinary words; the configuration refuses secrets of under this length where it can. */
const SHORTEST = 4;

const SHORTEST_LEARNED = 8;
/** What others hand out while this process runs: the newest so many, since a token ends by itself after a while. */
const LEARNED_MAX = 500;

/** A mask that is told later of secrets that nobody knew at the start: tokens that registries hand out. */
export interface LearningMask extends Mask {
  learn(secret: string): void;
}

/** Each secret is hidden as it is, line by line, as URLs, JSON and HTML write it, and as base64 in its three alignments. */
export function createMask(secrets: Iterable<string>): LearningMask {
  // Longest first, so that a secret that holds another is hidden whole.
  const ordered = [...new Set([...secrets].flatMap((secret) => [...formsOf(secret), ...brokenBase64(secret)]))].sort(
    (a, b) => b.length - a.length,
  );
  const pattern = ordered.length === 0 ? null : new RegExp(ordered.map(escapeRegExp).join("|"), "g");
  const learned = new Map<string, string[]>();
  // Tokens are long, and their forms many: no pattern is made of them, and a line that is shorter than one is not searched for it.
  const hideLearned = (text: string): string => {
    let left = text;
    for (const forms of learned.values()) {
      for (const form of forms) if (form.length <= left.length) left = left.replaceAll(form, HIDDEN);
    }
    return left;
  };
  const mask = (text: string): string => {
    const left = hideLearned(text);
    return pattern === null ? left : left.replace(pattern, HIDDEN);
  };
  return Object.assign(mask, {
    learn(secret: string) {
      // Another chooses it: no word that is common in a log is taken out of it.
      if (secret.length < SHORTEST_LEARNED) return;
      const forms = [...new Set(formsOf(secret))].sort((a, b) => b.length - a.length);
      learned.delete(secret);
      if (forms.length > 0) learned.set(secret, forms);
      for (const oldest of learned.keys()) if (learned.size > LEARNED_MAX) learned.delete(oldest);
    },
  });
}

function formsOf(secret: string): string[] {
  return [secret, ...secret.split(/\r?\n/)]
    .filter((part) => part.length >= SHORTEST)
    .flatMap((part) => [part, ...escapedForms(part), ...base64Forms(part)])
    .filter((form) => form.length >= SHORTEST);
}

/** Writers of one format differ in which characters they escape. */
function escapedForms(part: string): string[] {
  // Half of a surrogate pair has no bytes of its own.
  const url = encodeURIComponent(Buffer.from(part).toString());
  const strictUrl = url.replace(/[!'()*]/g, (one) => `%${hexOf(one, 2).toUpperCase()}`);
  const urls = [url, strictUrl].flatMap((form) => [form, form.replaceAll("%20", "+")]);
  const lowerUrls = urls.map((form) => form.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase()));
  const json = JSON.stringify(part).slice(1, -1);
  // Go escapes what HTML knows, PHP each slash, and Python and PHP what is not ASCII.
  const goJson = json.replace(/[<>&\u2028\u2029]/g, (one) => `\\u${hexOf(one, 4)}`);
  const jsons = [json, goJson].flatMap((form) => [form, form.replace(/[^\x20-\x7e]/g, (one) => `\\u${hexOf(one, 4)}`)]);
  const html = part.replace(/[&<>"']/g, (one) => HTML[one] ?? one);
  return [...urls, ...lowerUrls, ...jsons, ...jsons.map((form) => form.replaceAll("/", "\\/")), html];
}

const HTML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function hexOf(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, "0");
}

/** What tools print by themselves is broken into lines of 76 or 64 characters; the ends, too short to be told from words, stay. */
function brokenBase64(part: string): string[] {
  const encoded = [part, `${part}\n`].map((text) => Buffer.from(text).toString("base64"));
  return [76, 64].flatMap((width) => encoded.flatMap((text) => (text.length <= width ? [] : piecesOf(text, width))));
}

function piecesOf(text: string, width: number): string[] {
  const pieces = Array.from({ length: Math.ceil(text.length / width) }, (_, at) =>
    text.slice(at * width, (at + 1) * width),
  );
  return pieces.filter((piece) => piece.length >= SHORTEST_LEARNED);
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
