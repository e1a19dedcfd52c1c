/**
 * Takes what a sticky pattern matches at the current place of a text, and goes on behind it.
 * @returns null if the pattern does not match there
 */
type Take = (pattern: RegExp) => RegExpExecArray | null;

/** Reads a text from its start to its end, one pattern after the other. `isAtEnd`: all of it was taken. */
export function scan(text: string): { take: Take; isAtEnd(): boolean } {
  let at = 0;
  return {
    take(pattern) {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found !== null) at += found[0].length;
      return found;
    },
    isAtEnd: () => at >= text.length,
  };
}
