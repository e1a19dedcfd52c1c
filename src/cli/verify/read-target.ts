import { existsSync, statSync } from "node:fs";
import { EXIT, Failure } from "../exit.ts";
import type { Target } from "./target.ts";

/**
 * Reads what a person names: a file, a folder with an OCI layout, or an image in a registry.
 * @throws Failure, Refused
 */
export async function readTarget(text: string, signal: AbortSignal): Promise<Target> {
  if (existsSync(text)) {
    if (statSync(text).isDirectory()) return (await import("./layout.ts")).readLayoutFolder(text);
    return (await import("./file.ts")).readFileTarget(text);
  }
  if (/^(?:\.{0,2}\/)/.test(text)) throw new Failure(EXIT.notFound, `There is no file ${text}.`);
  return (await import("./image.ts")).readImage(text, signal);
}
