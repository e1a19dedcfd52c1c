import { createPrivateKey, createSign, type KeyObject } from "node:crypto";
import { ConfigError } from "../../../delivery/errors.ts";

/**
 * The private key of an App: PEM of PKCS#1, as GitHub gives it, or of PKCS#8.
 * @throws ConfigError that does not show it
 */
export function readPrivateKey(hostKey: string, pem: string): KeyObject {
  const key = parse(pem);
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new ConfigError(
    "github-app-key-invalid",
    `hosts.${hostKey}.app.privateKey is no RSA private key without a passphrase: set it to the whole text of the ` +
      ".pem file that GitHub gave for the App, from its BEGIN line to its END line.",
  );
}

function parse(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}

/** GitHub refuses a token that lives for longer than ten minutes. */
const LIFE_S = 9 * 60;
/** GitHub refuses a token from its future. */
const BACKDATED_S = 60;

/**
 * Proves to GitHub that the caller is the App, for ten minutes.
 * https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
 * @param now ms since the epoch, by GitHub's clock
 */
export function appJwt(appId: number, key: KeyObject, now: number): string {
  const seconds = Math.floor(now / 1000);
  const claims = { iat: seconds - BACKDATED_S, exp: seconds + LIFE_S, iss: String(appId) };
  const signed = [{ alg: "RS256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key).toString("base64url")}`;
}
