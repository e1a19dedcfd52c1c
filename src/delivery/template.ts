import { didYouMean } from "./did-you-mean.ts";
import { UserError } from "./errors.ts";

/** The variables of templates. A template writes them in braces. */
export const VARIABLES = [
  "version",
  "major",
  "minor",
  "branch",
  "tag",
  "sha",
  "shortSha",
  "repo",
  "owner",
  "artifact",
  "date",
] as const;

export type Variable = (typeof VARIABLES)[number];

/** The values of variables. A variable without a value is left out. */
export type Values = Partial<Record<Variable, string>>;

/** The variables of a template. @throws UserError `unknown-variable`, `bad-template` for a brace without a partner */
export function variablesOf(template: string): Set<Variable> {
  const found = new Set<Variable>();
  const rest = template.replace(/\{([^{}]*)\}/g, (_, word: string) => {
    const variable = VARIABLES.find((known) => known === word);
    if (variable === undefined) throw unknownVariable(word, template);
    found.add(variable);
    return "";
  });
  if (/[{}]/.test(rest)) {
    throw new UserError("bad-template", `the template "${template}" has a brace without its partner`);
  }
  return found;
}

/** A template with its values filled in. Null: one of its variables has no value. @throws UserError as `variablesOf` */
export function render(template: string, values: Values): string | null {
  for (const variable of variablesOf(template)) {
    if (values[variable] === undefined) return null;
  }
  return template.replace(/\{([^{}]*)\}/g, (_, word: Variable) => values[word] ?? "");
}

/** Whether a template gives immutable names: such a name says which content it has, so it may never have another. */
export function isImmutable(template: string): boolean {
  const variables = variablesOf(template);
  return (["version", "sha", "shortSha", "tag"] as const).some((variable) => variables.has(variable));
}

function unknownVariable(word: string, template: string): UserError {
  const known = VARIABLES.map((variable) => `{${variable}}`).join(" ");
  return new UserError(
    "unknown-variable",
    `the template "${template}" holds {${word}}, which is not a variable${didYouMean(word, VARIABLES)}. ` +
      `Known are ${known}.`,
  );
}
