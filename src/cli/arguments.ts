import { InvalidArgumentError } from "commander";
import { isShaPrefix } from "../delivery/sha.ts";
import { rangeIntervals } from "../delivery/version-order.ts";
import { EXIT, Failure } from "./exit.ts";

/*
 * What a person writes is checked before a server is asked: a mistyped argument is wrong usage, and not something that
 * was not found. Parsers of options throw InvalidArgumentError, to which commander adds the option.
 */

/** A commit id, or its first digits. Upper case is accepted, as in git. */
export function parseSha(text: string): string {
  const sha = text.toLowerCase();
  if (isShaPrefix(sha)) return sha;
  throw new InvalidArgumentError("It must be a commit id, or its first digits: at least 7 of 0-9 and a-f.");
}

/** `<owner>/<name>` or `<host>/<owner>/<name>`. An owner may have several parts. */
export function parseRepo(text: string): string {
  if (/^[^\s/@]+(?:\/[^\s/@]+)+$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a repo: <owner>/<name> or <host>/<owner>/<name>.");
}

/** The value of `--limit`. */
export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number above 0.");
}

/** The name of an artifact, as in a pipeline. */
export function parseArtifact(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be the name of an artifact: lower-case letters, digits and . _ -");
}

/** `<repo>@<sha>` @throws Failure */
export function parseCommit(text: string): { repo: string; sha: string } {
  const [repo, sha] = splitAt(text, "<repo>@<sha>");
  return checked(text, () => ({ repo: parseRepo(repo), sha: parseSha(sha) }));
}

/** `<artifact>@<version>` or `<artifact>@latest` @throws Failure */
export function parseRelease(text: string): { artifact: string; version: string } {
  const [artifact, version] = splitAt(text, "<artifact>@<version|latest>");
  parseVersion(version);
  return checked(text, () => ({ artifact: parseArtifact(artifact), version }));
}

/** `1.2.3`, `v1.2.3` or `latest` @throws Failure */
export function parseVersion(text: string): string {
  if (text === "latest" || /^v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/.test(text)) return text;
  throw new Failure(EXIT.usage, `"${text}" is not a version: write one such as 1.2.3, or latest`);
}

/** A range of versions. */
export function parseRange(text: string): string {
  if (rangeIntervals(text) !== null) return text;
  throw new InvalidArgumentError('It must be a range of semantic versions, such as "^1.2.0" or ">=1.2 <3".');
}

/** A day or a time. */
export function parseTime(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) && !Number.isNaN(Date.parse(text)))
    return text;
  throw new InvalidArgumentError("It must be a day or a time, such as 2026-11-30 or 2026-11-30T12:00:00Z.");
}

/** The id of a delivery. @throws Failure */
export function parseDeliveryId(text: string): string {
  if (/^[a-z0-9]{12}$/.test(text)) return text;
  throw new Failure(
    EXIT.usage,
    `"${text}" is not a delivery: write its id of 12 letters and digits, which deliverd deliveries prints, ` +
      "or <repo>@<sha>",
  );
}

function splitAt(text: string, form: string): [string, string] {
  const at = text.lastIndexOf("@");
  if (at <= 0 || at === text.length - 1) throw new Failure(EXIT.usage, `"${text}" does not have the form ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** For a part of an argument: commander knows only whole ones. */
function checked<T>(text: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new Failure(EXIT.usage, `"${text}" is wrong. ${error.message}`);
    throw error;
  }
}
