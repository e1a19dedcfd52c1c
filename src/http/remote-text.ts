import { printable } from "../delivery/printable.ts";
import { createMask } from "../observe/mask.ts";

/** What of a text is kept, in characters. */
const LONGEST = 300;
/** What is searched for secrets that nobody told us of: more of it would take long, and is cut off in any case. */
const SEARCHED = 4_000;
const HIDDEN = "[secret]";

/** Parameters whose value lets somebody in: of signed URLs, of forms and of JSON. */
const NAMES =
  "x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|signature|sig|awsaccesskeyid|key-pair-id|" +
  "policy|token|_?auth(?:_?token)?|(?:access|refresh|id|session|security|authorization)[-_]?token|password|passwd|secret|" +
  "client[-_]?(?:secret|assertion)|api[-_]?key|private[-_]?key|secret[-_]?access[-_]?key";

/** What looks like a secret, whoever's it is: a machine may show us that of another. */
const SHAPES: [RegExp, string][] = [
  // A login as the header has it; mere words after such a name ("Bearer authentication") stay.
  [/\b(Bearer|Basic|Token|Negotiate|ApiKey)(\s+|%20|\+)(?=[\w.~+/=-]*[\d.+/=])[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)*/g, HIDDEN],
  [/\b(?:gh[opusr]_|github_pat_|gl[a-z]{2,6}-|npm_|pypi-|dckr_(?:pat|oat)_|xox[a-z]-)[\w-]{16,}/g, HIDDEN],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, HIDDEN],
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'<>]*@/gi, `$1${HIDDEN}@`],
  [new RegExp(`(?<![a-z0-9])(${NAMES})((?:=|%3D))[^\\s&"'<>;,]{6,}`, "gi"), `$1$2${HIDDEN}`],
  [new RegExp(`(?<![a-z0-9])(${NAMES})(\\\\?["']\\s*:\\s*\\\\?["'])[^"'\\\\]{6,}`, "gi"), `$1$2${HIDDEN}`],
  [/\b(x-amz-security-token|x-[a-z-]*token|(?:proxy-)?authorization|cookie)(\s*:\s*)[^\s"',;]{8,}/gi, `$1$2${HIDDEN}`],
];

/**
 * Another machine's words as a part of an error: the one way by which an answer's body, reason or address gets into a text of
 * ours. No secret stays in it, and what stays is one short, printable line.
 * @param secrets those that its writer was shown, as the login of the request that it answers
 */
export function remoteText(text: string, secrets: Iterable<string> = []): string {
  const mask = createMask(secrets);
  const known = mask(text);
  const masked = SHAPES.reduce((rest, [shape, instead]) => rest.replace(shape, instead), known.slice(0, SEARCHED));
  // Where that much comes to little, the word that was cut may be a part of a secret, and would be shown.
  const whole = known.length > SEARCHED && masked.length <= LONGEST ? masked.replace(/\S+$/, "") : masked;
  // A secret that was broken into lines, as base64 often is: none of its lines is worth the risk.
  const joined = known.replace(/[\p{Cc}\p{Cf}\s]+/gu, "");
  if (mask(joined) !== joined) return HIDDEN;
  const line = printable(whole.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ")).trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, "")}…` : line;
}

/** What a request shows of ours: its login in every form, and what lets it in by its address alone. */
export function secretsOfRequest(url: URL, headers: Record<string, unknown>): string[] {
  const secrets = [url.username, url.password, ...signedParameters(url)];
  for (const [name, value] of Object.entries(headers)) {
    if (!/^(?:proxy-)?authorization$|token|cookie|secret/i.test(name) || typeof value !== "string") continue;
    const [scheme = "", ...rest] = value.split(" ");
    const credentials = rest.join(" ") || scheme;
    secrets.push(credentials);
    if (!/^basic$/i.test(scheme)) continue;
    const login = Buffer.from(credentials, "base64").toString("utf8");
    secrets.push(login, login.slice(login.indexOf(":") + 1));
  }
  return secrets.filter((secret) => secret !== "");
}

const SIGNED = new RegExp(`^(?:${NAMES})$`, "i");

function signedParameters({ searchParams }: URL): string[] {
  return [...searchParams].flatMap(([name, value]) => (SIGNED.test(name) ? [value] : []));
}
