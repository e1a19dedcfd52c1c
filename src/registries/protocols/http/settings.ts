import { orNull, secret, text } from "../../../settings/scalars.ts";

/** Both or neither: `registryType` checks that. */
export const login = {
  username: orNull(text).describe("The user to log in as. Needs password. Left out: no login."),
  password: orNull(secret).describe("The password or token of username, best as an environment variable or a file."),
};

/** PEM of a certificate authority to trust instead of the usual ones. */
export const ca = orNull(text).describe("PEM of a certificate authority to trust instead of the usual ones.");
