import { ConfigError } from "../delivery/errors.ts";
import { gitText } from "./git.ts";

/** The version that the documents name: Debian 12 has it, and the tests run on it. */
const OLDEST: readonly [major: number, minor: number] = [2, 39];
const TIME_LIMIT_MS = 10_000;

/** Without git nothing can be delivered, so the start ends. @throws ConfigError `git-missing` */
export async function requireGit(): Promise<void> {
  const call = { signals: [], timeLimit: TIME_LIMIT_MS };
  const told = (await gitText(["--version"], call)).trim();
  const [, major = 0, minor = 0] = /^git version (\d+)\.(\d+)/.exec(told)?.map(Number) ?? [];
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new ConfigError(
    "git-missing",
    `The program git is too old (${told}): install git ${OLDEST.join(".")} or newer.`,
  );
}
