/**
 * Characters that control how text is shown: C0 and C1 control a terminal, some programs end a line at U+2028 and
 * U+2029, and the others change the order of the text (https://trojansource.codes).
 */
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text from elsewhere with every control character as an escape such as `\u202e`. Line ends and tabs stay. JSON keeps
 * its meaning.
 */
export function printable(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value on one line, safe to print, cut at 80 characters. */
export function quoted(value: string): string {
  return printable(JSON.stringify(value.length > 80 ? `${value.slice(0, 79)}…` : value));
}
