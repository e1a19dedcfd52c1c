/** C0 and C1 steer a terminal, line and paragraph separators end lines for some, and the rest shows text in another order than it has (https://trojansource.codes). */
const STEERING = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * What others wrote, with all that does more than be read as an escape such as `\u202e`; line ends and tabs stay. JSON
 * means the same as before.
 */
export function printable(text: string): string {
  return text.replace(STEERING, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
