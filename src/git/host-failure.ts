import { Refused, TransientError } from "../delivery/errors.ts";
import type { CloneSource } from "../hosts/host.ts";
import { secretsOfRequest } from "../http/remote-text.ts";
import { createMask } from "../observe/mask.ts";
import { GitFailed } from "./git.ts";

type MakeError = (host: string, repo: string, said: string, cause: unknown) => Error;

const denied: MakeError = (host, repo, said, cause) =>
  new Refused(
    "git-access-denied",
    `${host} does not let us read ${repo}. Check that it exists under this name, ` +
      `and that the token of this host is valid and may read it. git said: ${said}`,
    { cause },
  );

const redirected: MakeError = (host, repo, said, cause) =>
  new Refused(
    "git-redirected",
    `${host} redirects ${repo} to another address, and deliverd sends no credentials there. ` +
      `If the repo was renamed, put its new name or cloneUrl into the configuration. git said: ${said}`,
    { cause },
  );

const limited: MakeError = (host, repo, said, cause) =>
  new TransientError(
    "git-host-limited",
    `${host} limits how often we may read ${repo}; deliverd tries again. git said: ${said}`,
    { cause },
  );

const broken: MakeError = (host, repo, said, cause) =>
  new TransientError(
    "git-host-error",
    `${host} failed while we read ${repo}; deliverd tries again. git said: ${said}`,
    { cause },
  );

const unreachable: MakeError = (host, repo, said, cause) =>
  new TransientError(
    "git-host-unreachable",
    `${host} cannot be reached to read ${repo}; deliverd tries again. git said: ${said}`,
    { cause },
  );

const withoutTls: MakeError = (host, repo, said, cause) =>
  new TransientError(
    "git-host-unreachable",
    `${host} does not speak TLS where cloneUrl leads to with https, so ${repo} cannot be read. ` +
      `Write http in cloneUrl, or the port that has TLS. git said: ${said}`,
    { cause },
  );

/** Messages of git and libcurl with LC_ALL=C. The first one that matches counts. */
const SYMPTOMS: [RegExp, MakeError][] = [
  [/wrong version number|unexpected TLS packet|packet length too long/i, withoutTls],
  [/returned error: 429/, limited],
  [/returned error: 5\d\d/, broken],
  [/returned error: 3\d\d/, redirected],
  [/unable to update url base from redirection/, redirected],
  [/returned error: 4\d\d|could not read Username|Authentication failed|repository '.*' not found/, denied],
  [
    /Could not resolve host|Could not resolve proxy|Failed to connect|Couldn't connect|Connection (?:refused|timed out|reset)/,
    unreachable,
  ],
  [/SSL|certificate|Operation too slow|Empty reply|Operation timed out|Recv failure|Send failure/, unreachable],
];

/**
 * Turns the failure of a git that talked to a host into an error that says what to do. Other errors are returned
 * unchanged.
 */
export function hostFailure(error: unknown, source: CloneSource): unknown {
  if (!(error instanceof GitFailed)) return error;
  const url = new URL(source.url);
  const mask = createMask(secretsOfRequest({ url, headers: { Authorization: source.authorization ?? undefined } }));
  const said =
    mask(error.stderr)
      .replace(/\p{Cc}+/gu, " ")
      .trim()
      .slice(-600) || error.message;
  const kind = SYMPTOMS.find(([symptom]) => symptom.test(error.stderr))?.[1] ?? broken;
  // The original error is not used as the cause: it contains unmasked text, and a host may echo our header.
  return kind(url.host, url.pathname.slice(1), said, new Error(said));
}
