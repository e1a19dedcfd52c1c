import { createHmac, randomBytes } from "node:crypto";
import { isSame } from "../http/is-same.ts";

/** As long as GitHub's code is good. */
const LIFE_MS = 60 * 60_000;

/** Values that another site brings back, and that only this server can have made. */
export interface FormState {
  /** @param subject what the value is for */
  mint(subject: string): string;
  /** The subject of a value that this server has made within the last hour. Null: it has not. */
  subjectOf(state: string): string | null;
}

export function createFormState(secret: string, now: () => number = Date.now): FormState {
  const seal = (text: string) => createHmac("sha256", secret).update(`form state ${text}`).digest("base64url");
  return {
    mint(subject) {
      const nonce = randomBytes(12).toString("base64url");
      const text = `${Buffer.from(subject).toString("base64url")}.${now() + LIFE_MS}.${nonce}`;
      return `${text}.${seal(text)}`;
    },
    subjectOf(state) {
      const [subject = "", until = "", nonce = "", given = ""] = state.split(".");
      const isOurs = isSame(given, seal(`${subject}.${until}.${nonce}`));
      return isOurs && Number(until) > now() ? Buffer.from(subject, "base64url").toString() : null;
    },
  };
}
