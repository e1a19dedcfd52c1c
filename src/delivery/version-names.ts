import { ecosystemVersion } from "./ecosystem-version.ts";
import { UserError } from "./errors.ts";
import { fixedValues, type NameFacts } from "./names.ts";
import { normalPythonName } from "./python-name.ts";
import { render, variablesOf } from "./template.ts";
import type { ArtifactKind, ArtifactName, Destination, PackageIdentity } from "./types.ts";

/** Whether a registry keeps an artifact under the name that it gives itself, or under a path of the repo's. */
export type Shelving = "package" | "path";

const DEFAULTS = {
  path: "{owner}/{repo}",
  ami: "{owner}-{repo}-{artifact}-{version}",
} as const;

/**
 * The names of an artifact that is no image: one for each of its versions, each immutable. By path it is
 * `<as>/<artifact>`, a package has the name that it says it has.
 * @param identity what the package says of itself; null where nothing in it does
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
      `artifact "${facts.artifact}" calls itself ${identity.name}, and \`as\` of its destination "${to}" says ${given}. Change one of them.`,
    );
  }
  const name = identity?.name ?? given;
  if (name !== null) return spelled(kind, name);
  throw new UserError(
    "package-name-missing",
    `artifact "${facts.artifact}" does not say what it is called: give its destination "${to}" an \`as\`, such as org.example:library.`,
  );
}

/** PyPI knows one project under many spellings. */
function spelled(kind: ArtifactKind, name: string): string {
  return kind === "wheel" ? normalPythonName(name) : name;
}

/** Nothing in these names depends on a branch or a git tag: a version has one name, whatever pointed to its commit. */
const FIXED = ["version", "sha", "shortSha", "repo", "owner", "artifact", "date"] as const;

/** @throws UserError `unknown-variable`, `bad-template` */
export function checkAs({ as }: Destination): void {
  for (const variable of variablesOf(as ?? "")) {
    if (FIXED.some((fixed) => fixed === variable)) continue;
    throw new UserError(
      "bad-template",
      `the template "${as}" holds {${variable}}, which only the names of an image can: use ${FIXED.map((one) => `{${one}}`).join(" ")}`,
    );
  }
}

function rendered(template: string, facts: NameFacts & { version: string }): string {
  const values = { ...fixedValues(facts), version: facts.version };
  return (render(template, values) ?? "").replace(/^\/+|\/+$/g, "");
}
