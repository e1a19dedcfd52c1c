import { Refused } from "./errors.ts";
import type { ArtifactKind } from "./types.ts";

/** What the name of a package has to look like in its ecosystem, and how to say that. */
const GRAMMARS: Partial<Record<ArtifactKind, { pattern: RegExp; expected: string }>> = {
  jar: {
    pattern: /^[\w+-]+(?:\.[\w+-]+)*:[\w+-]+(?:\.[\w+-]+)*$/,
    expected: 'group:artifact, of letters, digits, "_", "-", "+", and "." between them',
  },
  // https://github.com/npm/validate-npm-package-name
  npm: {
    pattern: /^(?=.{1,214}$)(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/,
    expected: "name or @scope/name, of lower-case letters, digits and . _ - ~, at most 214 characters",
  },
  // https://packaging.python.org/en/latest/specifications/name-normalization/#name-format
  wheel: {
    pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    expected: "letters, digits and . _ -, beginning and ending with a letter or digit",
  },
  // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
  ami: {
    pattern: /^[A-Za-z0-9()[\] ./'@_-]{3,128}$/,
    expected: "3 to 128 letters, digits, spaces and ( ) [ ] . / - ' @ _",
  },
};

/** Requires that a name follows the rules of the artifact's ecosystem. @throws Refused `name-invalid` */
export function requirePackageName(kind: ArtifactKind, name: string): void {
  const grammar = GRAMMARS[kind];
  if (grammar === undefined || grammar.pattern.test(name)) return;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(name.slice(0, 150))} cannot be the name of an artifact of kind ${kind}: use ${grammar.expected}.`,
  );
}
