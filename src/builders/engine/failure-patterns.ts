// The words in which engines from Docker 20.10 to 29, BuildKit and Podman (buildah) say whose failure a build's is.
// Only what is certainly the user's stands here: what nobody knows is the engine's, and tried again.

/** The exit code of the step's command, as the engine's last words give it. The step's own text is no part of them. */
export function exitCodeIn(message: string): number | null {
  const found = EXITS.map((pattern) => pattern.exec(message.trim())?.[1]).find((code) => code !== undefined);
  return found === undefined || Number(found) === 0 ? null : Number(found);
}

const EXITS = [
  // BuildKit to 0.8 (Docker 20.10), and since.
  /^.*executor failed running \[.*\]: exit code: (\d+)$/s,
  / did not complete successfully: exit code: (\d+)$/,
  // The classic builder, and buildah.
  / returned a non-zero code: (\d+)$/,
  /: while running runtime: exit status (\d+)$/,
];

/** What the container runtime says when it could not start a step's command: runc, crun, and buildah around them. */
const RUNTIME =
  /^(?:runc(?: run| create)? failed|container_linux\.go|OCI runtime|crun: |netavark: |error running container: )/;
/** What buildah prints itself among a step's lines. */
const BUILDAH = /^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: |^--> /;

/** The runtime's words where the step never began. A command that ran and printed such words printed others before. */
export function runtimeFailure(tail: readonly string[]): string | null {
  const first = tail.find((line) => !BUILDAH.test(line)) ?? "";
  return RUNTIME.test(first) ? first : null;
}

/** The command that a Dockerfile names is not in its image, or cannot be run. */
export function cannotStart(runtime: string): boolean {
  return /exec: \\?".*?": (?:.*: )?(?:executable file not found|no such file or directory|permission denied|not a directory|exec format error)/.test(
    runtime,
  );
}

const DOCKERFILE = [
  // It is not there, a folder, or a link that leads nowhere; what the engine cannot mount for itself is no such thing.
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

/** What a step asks for and nobody gives to a build: a secret, a right, what an ADD names in the network. */
const ASKED_FOR = [
  /\bsecret "?[\w.-]+"?: (?:not found|no such secret)/,
  /entitlement \S+ is not allowed/,
  // 408 and 429 ask for patience.
  /invalid response status 4(?!08|29)\d\d\b|repository does not contain ref |\bdigest mismatch sha256:\S+: sha256:/,
];

const IMAGES = [
  /pull access denied|requested access to the resource is denied|manifest unknown|manifest for .* not found/,
];

/** A file that the Dockerfile names, in the words of each builder. */
const FILES = [
  /: "\/[^"]*"(?:: not found| not found: not found)$/,
  /(?:COPY|ADD) failed: (?:(?:file not found in build context|forbidden path|no source files)|l?stat [^:]*: file does not exist)/,
  /copier: stat: .*: no such file or directory$|no items matching glob/,
  /Cannot mkdir: .* is not a directory|already exists but is not a directory|cannot copy to non-directory|cannot replace to directory /i,
  /with more than one source file, the destination must be a directory/,
];

/** The same below a folder where the engine mounts an image: the folder itself, and what a RUN needs there, is the engine's. */
const COPIES = /^(?:\[[^\]]*\] )?(?:COPY|ADD|WORKDIR)\b/i;
const MOUNTED =
  /(?:l?stat|open|mkdir) \S*\/(?:merged|(?:buildkit|rootfs)-mount\d+|docker-builder\d+)\/[^:]+: (?:no such file or directory|not a directory|is a directory)$/;

/** Is it a file of the user's that the engine could not read: the Dockerfile, what it copies, the command it runs? */
export function isUsersMistake({ message, step }: { message: string; step: string | null }): boolean {
  const words = message.trim();
  if (COPIES.test(step ?? "") && MOUNTED.test(words)) return true;
  return (
    [...DOCKERFILE, ...USERS, ...ASKED_FOR, ...IMAGES, ...FILES].some((pattern) => pattern.test(words)) ||
    cannotStart(words)
  );
}
