import { text } from "../../../settings/scalars.ts";

/** In quotes, since YAML reads digits as a number and drops a zero before them. */
export const accountId = text.regex(/^\d{12}$/, { error: "an account number of 12 digits, in quotes" });
