// Messages of Docker 20.10 to 29, BuildKit and Podman (buildah) that show whether the user or the engine caused a
// failure. Only what the user certainly caused is listed. Everything else counts as the engine's failure and is
// retried.

/**
 * The exit code of the step's command in the engine's last message. The step's own output is not part of the message.
 */
export function exitCodeIn(message: string): number | null {
  const found = EXIT_CODES.map((pattern) => pattern.exec(message.trim())?.[1]).find((code) => code !== undefined);
  return found === undefined || Number(found) === 0 ? null : Number(found);
}

const EXIT_CODES = [
  // BuildKit up to 0.8 (Docker 20.10), and later versions.
  /^.*executor failed running \[.*\]: exit code: (\d+)$/s,
  / did not complete successfully: exit code: (\d+)$/,
  // The classic builder, and buildah.
  / returned a non-zero code: (\d+)$/,
  /: while running runtime: exit status (\d+)$/,
];

/** The start of a container runtime's message that it could not start a command: runc, crun, or buildah. */
const RUNTIME =
  /^(?:runc(?: run| create)? failed|container_linux\.go|OCI runtime|crun: |netavark: |error running container: )/;
/** Lines that buildah itself prints among a step's output. */
const BUILDAH = /^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: |^--> /;

/**
 * The runtime's message, if the step never started. A command that ran and printed the same text printed other lines
 * first.
 */
export function runtimeFailure(tail: readonly string[]): string | null {
  const first = tail.find((line) => !BUILDAH.test(line)) ?? "";
  return RUNTIME.test(first) ? first : null;
}

/** Whether the command is not in the image, or cannot be executed. */
export function cannotStart(runtime: string): boolean {
  return /exec: \\?".*?": (?:.*: )?(?:executable file not found|no such file or directory|permission denied|not a directory|exec format error)/.test(
    runtime,
  );
}

const DOCKERFILE = [
  // It is missing, a folder, or a broken link. A mount that the engine cannot make does not match.
  /failed to read dockerfile: (?:open|l?stat|readlink) [^:]*: (?:no such file|not a directory|is a directory|too many levels)/,
  /cannot locate (?:specified )?Dockerfile|forbidden path outside the build context/i,
  /dockerfile parse error|failed to parse Dockerfile|parsing main Dockerfile/i,
  /unknown (?:instruction|flag): /i,
  /the Dockerfile(?: \([^)]*\))? cannot be empty|no contents in ".*"$/,
  /no build stage in current context|no FROM statement found/,
  /base name \(.*\) should not be blank/s,
  /failed to process ".*": |in substitution(?:: .*)?$/s,
  /requires (?:at least|exactly) \w+ arguments?|must have two arguments|only supports the .* flags?$/,
  /Invalid containerPort|invalid (?:reference format|chmod parameter|mount (?:type|option))/i,
  /isn't allowed as an ONBUILD trigger|circular dependency detected/,
  /target stage .* could not be found|failed to reach build target/,
  /no stage or image found with that name/,
  /invalid field .* must be a key=value pair$|unexpected key .* in |(?:unsupported|unexpected) mount type /,
  /specifier component must match/,
];

const USERS = [
  /unable to find (?:user|group) |unknown (?:user|group) error|can't find [ug]id for (?:user|group) |no user specified/,
];

/** BuildKit up to 0.8 (Docker 20.10) writes `secret x not found: not found`. Buildah says "no such secret". */
export const MISSING_SECRET = /\bsecret "?[\w.-]+"?(?:: (?:not found|no such secret)| not found: )/;

/** What a step asks for but does not get: a secret, a right, or the URL of an ADD. */
const ASKED_FOR = [
  MISSING_SECRET,
  /entitlement \S+ is not allowed/,
  // 408 and 429 are to be retried.
  /invalid response status 4(?!08|29)\d\d\b|repository does not contain ref |\bdigest mismatch sha256:\S+: sha256:/,
];

const IMAGES = [
  /pull access denied|requested access to the resource is denied|manifest unknown|manifest for .* not found/,
];

/** A file that the Dockerfile names, in the message of each builder. */
const FILES = [
  /: "\/[^"]*"(?:: not found| not found: not found)$/,
  /(?:COPY|ADD) failed: (?:(?:file not found in build context|forbidden path|no source files)|l?stat [^:]*: file does not exist)/,
  /copier: stat: .*: no such file or directory$|no items matching glob/,
  /Cannot mkdir: .* is not a directory|already exists but is not a directory|cannot copy to non-directory|cannot replace to directory /i,
  /with more than one source file, the destination must be a directory/,
];

/**
 * The same in a folder where the engine mounts an image. The folder itself, and what a RUN needs there, is the
 * engine's.
 */
const COPIES = /^(?:\[[^\]]*\] )?(?:COPY|ADD|WORKDIR)\b/i;
const MOUNTED =
  /(?:l?stat|open|mkdir) \S*\/(?:merged|(?:buildkit|rootfs)-mount\d+|docker-builder\d+)\/[^:]+: (?:no such file or directory|not a directory|is a directory)$/;

/** Whether the engine could not read a file of the user: the Dockerfile, a file to copy, or a command to run. */
export function isUsersMistake({ message, step }: { message: string; step: string | null }): boolean {
  const words = message.trim();
  if (COPIES.test(step ?? "") && MOUNTED.test(words)) return true;
  return (
    [...DOCKERFILE, ...USERS, ...ASKED_FOR, ...IMAGES, ...FILES].some((pattern) => pattern.test(words)) ||
    cannotStart(words)
  );
}
