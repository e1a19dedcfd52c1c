import type { RepoId, Sha } from "../delivery/types.ts";

/** A result of CI that was sent to `POST /api/v1/ci`. */
export interface PushedCheck {
  name: string;
  state: "pending" | "success" | "failure" | "skipped";
  /** Where CI shows it. Null: it did not say. */
  url: string | null;
  /** When it came to this state, in ms since the epoch. */
  at: number;
}

/**
 * What the adapters of hosts get from rooms that they do not import. Few hosts need it: those without an API of their
 * own for these questions.
 */
export interface HostTools {
  /**
   * The branch that a git server's HEAD points to, as `git ls-remote --symref` lists it. Null: the server shows no such
   * repo. A repo without commits has no such branch.
   * @param source where to clone the repo from
   * @throws TransientError, Refused
   */
  readHead(source: { url: string; authorization: string | null }): Promise<{ defaultBranch: string | null } | null>;
  /** The newest result of each check that was sent for exactly this commit. */
  pushedChecks(repo: RepoId, sha: Sha): Promise<PushedCheck[]>;
  /** Gets each secret that the host itself makes, such as a token, so that no log shows it. */
  learn(secret: string): void;
}
