import { statSync } from "node:fs";

/**
 * Why a file cannot be read, in parentheses for a message. A file that belongs to another user is the usual reason in a
 * container, where deliverd does not run as root.
 */
export function whyUnreadable(file: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
  const us = process.geteuid?.();
  const its = code === "EACCES" && us !== undefined ? ownerOf(file) : null;
  if (its === null) return `(${code})`;
  return (
    `(${code}: it has the mode ${its.mode} and belongs to the user ${its.uid}, and deliverd runs as the user ${us}. ` +
    `Run \`chown ${us} <file>\` or \`chmod a+r <file>\` on the machine that has the file)`
  );
}

function ownerOf(file: string): { mode: string; uid: number } | null {
  try {
    const { mode, uid } = statSync(file);
    return { mode: (mode & 0o777).toString(8).padStart(4, "0"), uid };
  } catch {
    // A folder on the way may be closed to us, too.
    return null;
  }
}
