import { X509Certificate } from "node:crypto";
import { orNull, secret, text } from "../../../settings/scalars.ts";

/** Both or neither: `registryType` checks that. */
export const login = {
  username: orNull(text).describe("The user to log in as. Needs password. Left out: no login."),
  password: orNull(secret).describe("The password or token of username, best as an environment variable or a file."),
};

/** PEM of a certificate authority to trust instead of the usual ones. */
export const ca = orNull(
  text.refine(isCertificate, {
    error: `a certificate in PEM form, best as \${file:/path}: -----BEGIN CERTIFICATE-----`,
  }),
).describe("PEM of a certificate authority to trust instead of the usual ones.");

function isCertificate(value: string): boolean {
  try {
    return new X509Certificate(value).subject !== undefined;
  } catch {
    return false;
  }
}
