import { printable } from "../delivery/printable.ts";
import { createMask } from "../observe/mask.ts";
import type { HttpRequest } from "./client.ts";

/** The result has at most this many characters. */
const MAX_LENGTH = 300;
/**
 * Only so many characters are searched for secrets by their form: a longer search takes time, and the rest is cut off
 * anyway.
 */
const MAX_SEARCHED = 4_000;
const HIDDEN = "[secret]";

/** Names of parameters whose values grant access: in signed URLs, forms and JSON. */
const SECRET_NAMES =
  "x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|signature|sig|awsaccesskeyid|key-pair-id|" +
  "policy|token|_?auth(?:_?token)?|(?:access|refresh|id|session|security|authorization)[-_]?token|password|passwd|secret|" +
  "client[-_]?(?:secret|assertion)|api[-_]?key|private[-_]?key|secret[-_]?access[-_]?key";

/** What looks like a secret. It need not be ours: a server may show the secret of somebody else. */
const SECRET_FORMS: [RegExp, string][] = [
  // The value of an Authorization header. Ordinary words after the scheme ("Bearer authentication") stay.
  [/\b(Bearer|Basic|Token|Negotiate|ApiKey)(\s+|%20|\+)(?=[\w.~+/=-]*[\d.+/=])[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)*/g, HIDDEN],
  [/\b(?:gh[opusr]_|github_pat_|gl[a-z]{2,6}-|npm_|pypi-|dckr_(?:pat|oat)_|xox[a-z]-)[\w-]{16,}/g, HIDDEN],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, HIDDEN],
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'<>]*@/gi, `$1${HIDDEN}@`],
  [new RegExp(`(?<![a-z0-9])(${SECRET_NAMES})((?:=|%3D))[^\\s&"'<>;,]{6,}`, "gi"), `$1$2${HIDDEN}`],
  [new RegExp(`(?<![a-z0-9])(${SECRET_NAMES})(\\\\?["']\\s*:\\s*\\\\?["'])[^"'\\\\]{6,}`, "gi"), `$1$2${HIDDEN}`],
  [/\b(x-amz-security-token|x-[a-z-]*token|(?:proxy-)?authorization|cookie)(\s*:\s*)[^\s"',;]{8,}/gi, `$1$2${HIDDEN}`],
];

/**
 * Makes text of another server safe to show in an error: one short, printable line without secrets. Everything that a
 * server says (body, reason phrase, address) passes through here before it becomes part of a message.
 * @param secrets what the server was shown and may repeat, as given by `secretsOfRequest`
 */
export function remoteText(text: string, secrets: Iterable<string> = []): string {
  const mask = createMask(secrets);
  const known = mask(text);
  const masked = SECRET_FORMS.reduce(
    (rest, [form, hidden]) => rest.replace(form, hidden),
    known.slice(0, MAX_SEARCHED),
  );
  // If masking left only little text, its last word would be shown: it may be part of a secret that was cut.
  const whole = known.length > MAX_SEARCHED && masked.length <= MAX_LENGTH ? masked.replace(/\S+$/, "") : masked;
  // A secret may be broken into lines, as base64 often is. Then nothing is shown.
  const joined = known.replace(/[\p{Cc}\p{Cf}\s]+/gu, "");
  if (mask(joined) !== joined) return HIDDEN;
  const line = printable(whole.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ")).trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH).replace(/[\ud800-\udbff]$/, "")}…` : line;
}

/** The secrets that a request shows to its server: credentials in every form, and signatures in the URL. */
export function secretsOfRequest({ url, headers }: Pick<HttpRequest, "url" | "headers">): string[] {
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

const SIGNED = new RegExp(`^(?:${SECRET_NAMES})$`, "i");

function signedParameters({ searchParams }: URL): string[] {
  return [...searchParams].flatMap(([name, value]) => (SIGNED.test(name) ? [value] : []));
}
