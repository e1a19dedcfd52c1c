import { ecosystemVersion } from "./ecosystem-version.ts";
import { UserError } from "./errors.ts";
import { fixedValues, type NameFacts } from "./names.ts";
import { normalPythonName } from "./python-name.ts";
import { render, variablesOf } from "./template.ts";
import type { ArtifactKind, ArtifactName, Destination, PackageIdentity } from "./types.ts";

/** Whether a registry stores an artifact under the name of its package, or under a path made of the repo's name. */
export type Shelving = "package" | "path";

const DEFAULTS = {
  path: "{owner}/{repo}",
  ami: "{owner}-{repo}-{artifact}-{version}",
} as const;

/**
 * The names of an artifact that is no image: one immutable name for each version. A path is `<as>/<artifact>`; a
 * package has the name that its own files give.
 * @param identity the name and version inside the package. Null: its files give none.
 * @throws UserError `package-name-missing`, `package-name-differs`, and as `variablesOf`
 */
export function versionNames(
  kind: ArtifactKind,
  shelving: Shelving,
  destination: Destination,
  facts: NameFacts,
  identity: PackageIdentity | null,
): ArtifactName[] {
  return facts.versions.map((version) => ({
    registry: destination.to,
    repository: repositoryOf(kind, shelving, destination, { ...facts, version }, identity),
    tag: shelving === "path" ? version : ecosystemVersion(kind, version),
    immutable: true,
  }));
}

function repositoryOf(
  kind: ArtifactKind,
  shelving: Shelving,
  { to, as }: Destination,
  facts: NameFacts & { version: string },
  identity: PackageIdentity | null,
): string {
  if (shelving === "path") return `${rendered(as ?? DEFAULTS.path, facts)}/${facts.artifact}`;
  if (kind === "ami") return rendered(as ?? DEFAULTS.ami, facts);
  const given = as === null ? null : rendered(as, facts);
  if (given !== null && identity !== null && spelled(kind, given) !== spelled(kind, identity.name)) {
    throw new UserError(
      "package-name-differs",
      `artifact "${facts.artifact}" has the name ${identity.name} inside, but \`as\` of its destination "${to}" says ` +
        `${given}. Change one of them.`,
    );
  }
  const name = identity?.name ?? given;
  if (name !== null) return spelled(kind, name);
  throw new UserError(
    "package-name-missing",
    `artifact "${facts.artifact}" does not give its name, and its destination "${to}" has no \`as\`. ` +
      "Set `as`, such as org.example:library.",
  );
}

/** PyPI accepts many spellings for one project. */
function spelled(kind: ArtifactKind, name: string): string {
  return kind === "wheel" ? normalPythonName(name) : name;
}

/** Variables that do not depend on a branch or git tag: a version has one name, whichever ref points to its commit. */
const FIXED_VARIABLES = ["version", "sha", "shortSha", "repo", "owner", "artifact", "date"] as const;

/** @throws UserError `unknown-variable`, `bad-template` */
export function checkAs({ as }: Destination): void {
  for (const variable of variablesOf(as ?? "")) {
    if (FIXED_VARIABLES.some((fixed) => fixed === variable)) continue;
    throw new UserError(
      "bad-template",
      `the template "${as}" holds {${variable}}, which works only for images: ` +
        `use ${FIXED_VARIABLES.map((one) => `{${one}}`).join(" ")}`,
    );
  }
}

function rendered(template: string, facts: NameFacts & { version: string }): string {
  const values = { ...fixedValues(facts), version: facts.version };
  return (render(template, values) ?? "").replace(/^\/+|\/+$/g, "");
}
