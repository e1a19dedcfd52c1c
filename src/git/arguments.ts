import { posix } from "node:path";
import { ConfigError, UserError } from "../delivery/errors.ts";
import { isFullSha } from "../delivery/sha.ts";
import type { Sha } from "../delivery/types.ts";

/** Requires a full commit id in lower-case hex. @throws UserError("bad-sha") */
export function checkSha(text: string): Sha {
  if (!isFullSha(text)) throw new UserError("bad-sha", `Not a full commit id of 40 or 64 hex digits: ${shown(text)}.`);
  return text;
}

/** All that git-check-ref-format(1) forbids in the refs of branches and tags. */
const FORBIDDEN_IN_REF = /[\p{Cc}\uFFFD ~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/u;

/** Requires the full ref of a branch or tag (`refs/heads/…`, `refs/tags/…`). @throws UserError("bad-ref") */
export function checkRef(text: string): string {
  if (!isRef(text)) throw new UserError("bad-ref", `Not the full ref of a branch or tag: ${shown(text)}.`);
  return text;
}

export function isRef(text: string): boolean {
  const name = /^refs\/(?:heads|tags)\/(.+)$/s.exec(text)?.[1];
  return (
    name !== undefined &&
    name.length < 1000 &&
    !name.startsWith(".") &&
    !FORBIDDEN_IN_REF.test(text) &&
    !name.startsWith("/")
  );
}

/**
 * Normalises a path inside a tree: `./api//Dockerfile` becomes `api/Dockerfile`, and the root an empty text.
 * @throws UserError("bad-path") if it is absolute or leads out of the tree
 */
export function checkPath(path: string): string {
  const plain = posix.normalize(path).replace(/\/$/, "");
  const bad =
    path === "" ||
    plain.startsWith("/") ||
    plain === "" ||
    plain.split("/")[0] === ".." ||
    /[\p{Cc}\p{Cs}]/u.test(path);
  if (bad) throw new UserError("bad-path", `A path must be relative and stay inside the repository: ${shown(path)}.`);
  return plain === "." ? "" : plain;
}

/**
 * Turns a pipeline's glob into a pathspec of git.
 * @throws UserError("bad-glob") for braces: git would match nothing, and nothing would ever seem to change
 */
export function toPathspec(glob: string): string {
  if (/[{}]/.test(glob))
    throw new UserError("bad-glob", `Braces are not understood in ${shown(glob)}: write one glob for each.`);
  const [magic, rest] = glob.startsWith("!") ? ["exclude,glob", glob.slice(1)] : ["glob", glob];
  return `:(top,${magic})${checkPath(rest)}`;
}

/**
 * Requires an http(s) URL without credentials: they would show in the list of processes.
 * @throws UserError("bad-clone-url"). The message leaves out what may be a password.
 */
export function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new UserError(
      "bad-clone-url",
      "A repository is cloned by an http or https URL: check cloneUrl of this host.",
    );
  if (url.username !== "" || url.password !== "")
    throw new UserError(
      "bad-clone-url",
      `The clone URL of ${url.host} holds credentials: put them into token of this host instead.`,
    );
}

/** Requires the value of an Authorization header. @throws ConfigError("bad-credential") for control characters */
export function checkAuthorization(value: string): string {
  if (/\p{Cc}/u.test(value))
    throw new ConfigError(
      "bad-credential",
      "The credential for this git host holds a line break or another control character: check its token.",
    );
  return value;
}

/** Text from elsewhere, fit for one line of an error message. */
function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
