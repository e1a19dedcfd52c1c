import type { TransientError } from "../../delivery/errors.ts";

/** What lets a call of GitHub's API in. */
export interface Login {
  /** Value of the `Authorization` header. Null: none is sent. @throws TransientError if there is none to be had now */
  authorization(): Promise<string | null>;
  /** The newest secret that it has sent, which no error may show. Null: none. */
  secret(): string | null;
  /**
   * Called after 401.
   * @param refusals 401 that this call got before
   * @param base ms; waits are multiples of it
   * @returns ms until the call is tried again, with a new authorization; null: it would be refused again
   */
  waitAfterRefusal(refusals: number, base: number): number | null;
  /** What a failed answer means, if this login knows more than its status. `message` is masked. */
  failure?(status: number, message: string): TransientError | null;
}

/** A token that a person made. */
export function tokenLogin(token: string | null): Login {
  return {
    authorization: async () => (token === null ? null : `token ${token}`),
    secret: () => token,
    waitAfterRefusal: () => null,
  };
}
