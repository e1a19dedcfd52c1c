/** Shorter parts of a path are words, and a mask of them would hide ordinary text. */
const TOKEN = /^(?=.*\d)(?=.*[a-z])[\w~+/=.-]{16,}$/i;

/** What may be a token in the path or query of a URL that only its owner may know, such as that of a chat's webhook. */
export function tokensOf(text: unknown): string[] {
  if (typeof text !== "string" || !URL.canParse(text)) return [];
  const { pathname, searchParams } = new URL(text);
  return [...pathname.split("/").map(decoded), ...searchParams.values()].filter((part) => TOKEN.test(part));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
