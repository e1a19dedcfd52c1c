/** The part of a command's help that shows how to call it. @param calls without the program's name */
export function examples(...calls: string[]): string {
  return `\nExamples:\n${calls.map((call) => `    deliverd ${call}`).join("\n")}`;
}
