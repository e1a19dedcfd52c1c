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

/** Each secret is hidden as it is, line by line, URL-encoded, and in the three alignments that base64 can give it. */
export function createMask(secrets: Iterable<string>): LearningMask {
  // Longest first, so that a secret that holds another is hidden whole.
  const ordered = [...new Set([...secrets].flatMap(formsOf))].sort((a, b) => b.length - a.length);
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
    .flatMap((part) => [part, encodeURIComponent(part), JSON.stringify(part).slice(1, -1), ...base64Forms(part)])
    .filter((form) => form.length >= SHORTEST);
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
