import { ConfigError } from "../../delivery/errors.ts";
import { repoUrl } from "../../delivery/repo-name.ts";
import { basicAuth } from "../../http/login.ts";
import { ciStateBy } from "../ci-state.ts";
import type { CloneSource, Host } from "../host.ts";
import type { HostTools } from "../host-tools.ts";
import { readProofKey, standardProof } from "../standard-proof.ts";
import { checkOf } from "./checks.ts";
import { hintReader } from "./hints.ts";
import { reportSender } from "./report.ts";

export interface GenericHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  /** With `{owner}` and `{name}`. */
  cloneUrl: string;
  username: string | null;
  /** Null: clones need none. */
  token: string | null;
  /** `whsec_…` */
  webhookSecret: string;
  /** Null: nobody gets reports. */
  reportUrl: string | null;
  /** What one attempt of a report may take, in ms. */
  timeout?: number;
}

/**
 * A git server of which deliverd knows only git. Webhooks and results of CI come to deliverd, and reports go to a URL.
 * @throws ConfigError where the secret cannot be one
 */
export function genericHost(options: GenericHostOptions, tools: HostTools): Host {
  const { cloneUrl, username, token, reportUrl, timeout } = options;
  const proof = proofOf(options);
  const send = reportUrl === null ? null : reportSender({ key: options.key, reportUrl, proof, timeout });
  const authorization = token === null ? null : basicAuth(username ?? "deliverd", token);
  const sourceOf = (owner: string, name: string): CloneSource => ({
    url: repoUrl(cloneUrl, { owner, name }),
    authorization,
  });
  return {
    readHints: hintReader(proof),
    async findRepo(owner, name) {
      const head = await tools.readHead(sourceOf(owner, name));
      return head === null ? null : { hostId: `${owner}/${name}`, owner, name, ...head };
    },
    listRepos: async () => [],
    listsRepos: false,
    budget: () => null,
    async counted(work) {
      await work();
      return 0;
    },
    ciState: ciStateBy({
      readChecks: async ({ repo, sha }) => (await tools.pushedChecks(repo.id, sha)).map(checkOf),
      readRequired: async () => null,
      // The results have the times of CI, and what says when they changed is no clock of the host's.
      clockAhead: () => 0,
    }),
    cloneSource: async ({ owner, name }) => sourceOf(owner, name),
    async report(commit, report) {
      await send?.(commit, report);
    },
    appendsReports: true,
    // Only who has the secret can give an order, and vouches for the person that it names.
    mayWrite: async () => true,
    verifyCi: (request) => proof.verify(request, Date.now()),
  };
}

function proofOf({ key, webhookSecret }: GenericHostOptions) {
  const signingKey = readProofKey(webhookSecret);
  if (signingKey === null) {
    throw new ConfigError(
      "generic-webhook-secret-invalid",
      `hosts.${key}.webhookSecret must be 'whsec_' and 24 or more random bytes in base64. ` +
        "Make one with: printf 'whsec_%s' \"$(openssl rand -base64 32)\"",
    );
  }
  return standardProof(signingKey, { sender: "who has the secret", secret: "the secret of the sender" });
}
