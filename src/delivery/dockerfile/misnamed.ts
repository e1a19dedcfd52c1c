import { didYouMean } from "../did-you-mean.ts";
import { parseDockerfile } from "./parse.ts";
import { readStages } from "./stages.ts";
import { DockerfileError } from "./text.ts";

/** A place in a Dockerfile, and what is probably wrong there. */
export interface DockerfileDoubt {
  line: number;
  keyword: string;
  message: string;
}

/**
 * Names that no stage has, but that look like a stage's: BuildKit takes them for images, and the build fails when it
 * pulls them. Empty for a file that cannot be read.
 * @param args build arguments that are known
 */
export function misnamedStages(text: string, args: Record<string, string>): DockerfileDoubt[] {
  try {
    const { stages } = readStages(parseDockerfile(text), new Map(Object.entries(args)), new Map());
    return stages.flatMap((stage, index) => {
      const known = stages.slice(0, index).flatMap(({ name }) => (name === null ? [] : [name]));
      const uses = [{ name: stage.base ?? "", line: stage.line, keyword: "FROM" }, ...stage.sources];
      return uses.flatMap(({ name, line, keyword }) => {
        const nearest = isPlainWord(name) && !known.includes(name.toLowerCase()) ? didYouMean(name, known) : "";
        const message = `${JSON.stringify(name)} is no stage above, so it is pulled as an image${nearest}`;
        return nearest === "" ? [] : [{ line, keyword, message }];
      });
    });
  } catch (error) {
    if (error instanceof DockerfileError) return [];
    throw error;
  }
}

/** An image with a registry, a namespace, a tag or a digest is meant as an image. */
function isPlainWord(name: string): boolean {
  return /^[A-Za-z][\w-]*$/.test(name);
}
