import { ConfigError } from "../delivery/errors.ts";
import { explainFileError } from "./file-errors.ts";

const elsewhere =
  "Set dataDir (or DELIVERD_DATA_DIR) to a folder on a disk of this machine that deliverd may write to.";

/**
 * The error of a data directory that cannot be used: which file, why, and what to do. Other errors are returned as they
 * are.
 */
export function dataDirError(dataDir: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ConfigError) return error;
  const { path = dataDir } = error as NodeJS.ErrnoException;
  const text = isAbout(path, dataDir) ? explainFileError(error, { path: dataDir, elsewhere, owned: dataDir }) : null;
  return text === null ? error : new ConfigError("data-dir-unusable", `dataDir: ${text}`, { cause: error });
}

/** The directory, what is in it, and the folders above it, which it would have been made in. */
function isAbout(path: string, dataDir: string): boolean {
  return path === dataDir || path.startsWith(`${dataDir}/`) || dataDir.startsWith(path.replace(/\/?$/, "/"));
}
