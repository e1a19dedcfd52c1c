/** Hides secrets in text. Made from the configuration's secrets, and used for all logs, errors and answers. */
export type Mask = (text: string) => string;

const HIDDEN = "[secret]";
/** Characters. Shorter values would hide ordinary words. The configuration refuses shorter secrets where it can. */
const MIN_LENGTH = 4;

/** Characters of a secret that a server chose. A shorter one could be a common word of a log. */
const MIN_LEARNED_LENGTH = 8;
/** Only the newest ones are kept, since tokens expire. */
const MAX_LEARNED = 500;

/** A mask that learns further secrets at run time: tokens that registries give out. */
export interface LearningMask extends Mask {
  learn(secret: string): void;
}

/**
 * Hides each secret and each of its lines: as text, escaped for URLs, JSON and HTML, and in base64 of any alignment.
 */
export function createMask(secrets: Iterable<string>): LearningMask {
  // Longest first, so that a secret that contains another one is hidden completely.
  const ordered = [...new Set([...secrets].flatMap((secret) => [...formsOf(secret), ...brokenBase64(secret)]))].sort(
    (a, b) => b.length - a.length,
  );
  const pattern = ordered.length === 0 ? null : new RegExp(ordered.map(escapeRegExp).join("|"), "g");
  const learned = new Map<string, string[]>();
  // Tokens are long and have many forms, so no pattern is made of them, and a shorter line is not searched for them.
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
      // A server chose it: it must not hide common words.
      if (secret.length < MIN_LEARNED_LENGTH) return;
      const forms = [...new Set(formsOf(secret))].sort((a, b) => b.length - a.length);
      learned.delete(secret);
      if (forms.length > 0) learned.set(secret, forms);
      for (const oldest of learned.keys()) if (learned.size > MAX_LEARNED) learned.delete(oldest);
    },
  });
}

function formsOf(secret: string): string[] {
  return [secret, ...secret.split(/\r?\n/)]
    .filter((part) => part.length >= MIN_LENGTH)
    .flatMap((part) => [part, ...escapedForms(part), ...base64Forms(part)])
    .filter((form) => form.length >= MIN_LENGTH);
}

/** Writers of one format do not agree on which characters to escape. */
function escapedForms(part: string): string[] {
  // Half of a surrogate pair cannot be encoded.
  const url = encodeURIComponent(Buffer.from(part).toString());
  const strictUrl = url.replace(/[!'()*]/g, (one) => `%${hexOf(one, 2).toUpperCase()}`);
  const urls = [url, strictUrl].flatMap((form) => [form, form.replaceAll("%20", "+")]);
  const lowerUrls = urls.map((form) => form.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase()));
  const json = JSON.stringify(part).slice(1, -1);
  // Go escapes the special characters of HTML, PHP every slash, and Python and PHP all that is not ASCII.
  const goJson = json.replace(/[<>&\u2028\u2029]/g, (one) => `\\u${hexOf(one, 4)}`);
  const jsons = [json, goJson].flatMap((form) => [form, form.replace(/[^\x20-\x7e]/g, (one) => `\\u${hexOf(one, 4)}`)]);
  const html = part.replace(/[&<>"']/g, (one) => HTML[one] ?? one);
  return [...urls, ...lowerUrls, ...jsons, ...jsons.map((form) => form.replaceAll("/", "\\/")), html];
}

const HTML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function hexOf(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, "0");
}

/**
 * Some tools break base64 into lines of 76 or 64 characters. Ends that are too short to tell from words are not hidden.
 */
function brokenBase64(part: string): string[] {
  const encoded = [part, `${part}\n`].map((text) => Buffer.from(text).toString("base64"));
  return [76, 64].flatMap((width) => encoded.flatMap((text) => (text.length <= width ? [] : piecesOf(text, width))));
}

function piecesOf(text: string, width: number): string[] {
  const pieces = Array.from({ length: Math.ceil(text.length / width) }, (_, at) =>
    text.slice(at * width, (at + 1) * width),
  );
  return pieces.filter((piece) => piece.length >= MIN_LEARNED_LENGTH);
}

/**
 * Base64 of a text within other text. The first and last characters depend on the neighbours, the inner ones do not.
 */
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
