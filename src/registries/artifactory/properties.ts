import type { BuildFacts } from "./build-facts.ts";

/** The facts of a release, and what ties a file to its build: Artifactory finds a build's files by these two names. */
export function propertiesOf(metadata: Record<string, string>, { name, number, started }: BuildFacts) {
  const all = { ...metadata, "build.name": name, "build.number": number, "build.timestamp": String(started.getTime()) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** For the path of a deployment: `;key=value` each ("Using Properties in Deployment and Resolution"). */
export function matrixParameters(properties: Record<string, string>): string {
  return Object.entries(properties)
    .map(([key, value]) => `;${encoded(key)}=${encoded(value)}`)
    .join("");
}

/** For the query of "Set Item Properties", where a backslash keeps , \ | = and ; from meaning something. */
export function propertiesQuery(properties: Record<string, string>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${encoded(key)}=${encoded(value.replace(/[,\\|=;]/g, "\\$&"))}`)
    .join(";");
}

/** Unlike encodeURIComponent it leaves nothing that some server might read otherwise. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
