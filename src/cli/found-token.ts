import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { whyUnreadable } from "../config/unreadable.ts";
import { EXIT, Failure } from "./exit.ts";

/** A token for a server, and where it comes from, for messages. */
export type FoundToken = { kind: "found"; token: string; source: string } | { kind: "missing"; because: string };

/** The token that the server made at its first start. */
export async function readAdminToken(dataDir: string): Promise<FoundToken> {
  const file = resolve(join(dataDir, "admin-token"));
  try {
    return { kind: "found", token: (await readFile(file, "utf8")).trim(), source: file };
  } catch (error) {
    return { kind: "missing", because: `${file} cannot be read ${whyUnreadable(file, error)}` };
  }
}

/**
 * `NAME`, or the text of the file that `NAME_FILE` names.
 * @throws Failure if that file cannot be read
 */
export async function tokenFromEnvironment(env: NodeJS.ProcessEnv, name: string): Promise<FoundToken> {
  const token = env[name];
  if (token) return { kind: "found", token, source: name };
  const file = env[`${name}_FILE`];
  if (!file) return { kind: "missing", because: "" };
  try {
    return { kind: "found", token: (await readFile(file, "utf8")).trim(), source: `${name}_FILE` };
  } catch (error) {
    const why = `${file} cannot be read ${whyUnreadable(file, error)}`;
    throw new Failure(EXIT.usage, `${name}_FILE: ${why}. Name a readable file that holds the token, or set ${name}.`);
  }
}
