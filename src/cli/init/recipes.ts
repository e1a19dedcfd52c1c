import type { ArtifactKind } from "../../delivery/types.ts";
import type { Project, ProjectFile } from "./projects.ts";

/** How an artifact is made from a project, as it is written into the pipeline. */
export interface Recipe {
  /** The file that led to it. */
  from: ProjectFile;
  kind: ArtifactKind;
  /** Said above the artifact, a line each. */
  comments: string[];
  /** Null for an image. */
  build: { image: string; run: string[]; cache: string[]; files: string[] } | null;
  /** `as` has to be given. It is a guess, to be checked by the person. */
  needsGroup: boolean;
}

/** The recipes of a project, and why a file of it leads to none. */
export function recipesOf(project: Project): { recipes: Recipe[]; skipped: string[] } {
  const recipes: Recipe[] = [];
  const skipped: string[] = [];
  for (const file of project.files) {
    const found = recipeFor(file, project);
    if (typeof found === "string") skipped.push(`${at(project, file)}: ${found}`);
    else recipes.push(found);
  }
  return { recipes, skipped };
}

/** @returns why there is none */
function recipeFor(from: ProjectFile, project: Project): Recipe | string {
  const made = (kind: ArtifactKind, build: Recipe["build"], ...comments: string[]): Recipe => {
    return { from, kind, build, comments, needsGroup: false };
  };
  const files = (...globs: string[]) => globs.map((glob) => at(project, glob));
  const isApp = project.files.has("Dockerfile");
  switch (from) {
    case "Dockerfile":
      return made("image", null);
    case "package.json":
      return npmRecipe(project, made, files);
    case "pom.xml":
      if (project.packaging !== "jar" && project.packaging !== "war")
        return `a POM of packaging ${project.packaging ?? "unknown"} makes no jar`;
      return made("jar", {
        image: "maven:3-eclipse-temurin-21",
        run: inFolder(
          project,
          "mvn -B versions:set -DnewVersion=$DELIVERD_VERSION_MAVEN -DgenerateBackupPoms=false",
          "mvn -B -DskipTests package",
        ),
        cache: ["/root/.m2"],
        files: files(`target/*.${project.packaging}`),
      });
    case "build.gradle":
    case "build.gradle.kts": {
      if (from === "build.gradle.kts" && project.files.has("build.gradle")) return "build.gradle is there too";
      const gradle = project.has("gradlew") ? "sh gradlew" : "gradle";
      const recipe = made(
        "jar",
        {
          image: "gradle:8-jdk21",
          run: inFolder(project, `${gradle} -Pversion=$DELIVERD_VERSION_MAVEN assemble`),
          cache: ["/root/.gradle"],
          files: files("build/libs/*.jar"),
        },
        "Gradle takes the version from -Pversion if the build file sets none.",
      );
      return { ...recipe, needsGroup: true };
    }
    case "pyproject.toml":
      if (isApp) return "the Dockerfile beside it makes the artifact";
      return made(
        "wheel",
        {
          image: "python:3.13",
          run: inFolder(
            project,
            // A version in the file is replaced; setuptools-scm and hatch-vcs read the variable.
            'sed -i "s/^version *=.*/version = \\"$DELIVERD_VERSION_PEP440\\"/" pyproject.toml',
            "pip install build",
            "SETUPTOOLS_SCM_PRETEND_VERSION=$DELIVERD_VERSION_PEP440 python -m build --wheel --outdir dist",
          ),
          cache: ["/root/.cache/pip"],
          files: files("dist/*.whl"),
        },
        "The first command writes the version into pyproject.toml, if the file has one.",
      );
    case "go.mod":
      if (isApp) return "the Dockerfile beside it makes the artifact";
      return made("file", {
        image: "golang:1",
        run: inFolder(project, "mkdir -p dist", "CGO_ENABLED=0 go build -trimpath -o dist/ ./..."),
        cache: ["/root/.cache/go-build", "/go/pkg/mod"],
        files: files("dist/*"),
      });
    case "Cargo.toml":
      if (isApp) return "the Dockerfile beside it makes the artifact";
      if (!project.has("src/main.rs") && !project.has("src/bin"))
        return "it has no src/main.rs, so it makes no program";
      return made("file", {
        image: "rust:1",
        run: inFolder(project, `cargo install ${project.has("Cargo.lock") ? "--locked " : ""}--path . --root dist`),
        cache: ["/usr/local/cargo/registry"],
        files: files("dist/bin/*"),
      });
  }
}

function npmRecipe(
  project: Project,
  made: (kind: ArtifactKind, build: Recipe["build"]) => Recipe,
  files: (...globs: string[]) => string[],
): Recipe | string {
  const { npm } = project;
  if (npm === null) return "it cannot be read";
  if (npm.isPrivate) return "it is private, so it is no package";
  if (npm.name === null) return "it has no name, so it is no package";
  return made("npm", {
    image: "node:24",
    run: inFolder(
      project,
      installOf(project),
      "npm version $DELIVERD_VERSION --no-git-tag-version --allow-same-version",
      ...(npm.hasBuild ? ["npm run build"] : []),
      "npm pack",
    ),
    cache: ["/root/.npm"],
    files: files("*.tgz"),
  });
}

function installOf(project: Project): string {
  if (project.has("pnpm-lock.yaml")) return "npx --yes pnpm install --frozen-lockfile";
  if (project.has("yarn.lock")) return "npx --yes yarn install --frozen-lockfile";
  return project.has("package-lock.json") ? "npm ci" : "npm install";
}

/** Each command begins at the root of the repo. */
function inFolder({ folder }: Project, ...commands: string[]): string[] {
  return folder === "" ? commands : commands.map((command) => `cd ${shellWord(folder)} && ${command}`);
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function at({ folder }: Project, path: string): string {
  return folder === "" ? path : `${folder}/${path}`;
}
