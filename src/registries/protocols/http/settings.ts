import { orNull, secret, text } from "../../../settings/scalars.ts";

/** Both or neither: `registryType` checks that. */
export const login = { username: orNull(text), password: orNull(secret) };

/** PEM of a certificate authority to trust instead of the usual ones. */
export const ca = orNull(text);
