import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { gitlabHost } from "../../../src/hosts/gitlab/host.ts";
import type { RawWebhook } from "../../../src/hosts/host.ts";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { gitlab as examples } from "../../support/hosts/examples/gitlab.ts";
import { startGitLab } from "../../support/hosts/gitlab/gitlab.ts";
import { describeHost, type HostKit } from "./contract.ts";

const SIGNING_TOKEN = `whsec_${Buffer.alloc(32, "contract").toString("base64")}`;
const TOKEN = "contract-secret-token";
const STATES = { pending: "running", passed: "success", failed: "failed" } as const;

async function startKit(webhookSecret: string): Promise<HostKit> {
  const gitlab = await startGitLab();
  const sample = await sampleRepo(gitlab, { owner: "acme/platform", name: "api" });
  const { url, cloneUrl, token } = gitlab;
  const host = gitlabHost({ key: "gitlab", url, cloneUrl, webhookSecret, token, retryBase: 1 });
  const isSigned = webhookSecret === SIGNING_TOKEN;
  const sign = (algorithm: string, { headers }: Pick<RawWebhook, "headers">, body: Buffer) =>
    createHmac(algorithm, Buffer.from(SIGNING_TOKEN.slice(6), "base64"))
      .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`)
      .update(body)
      .digest("base64");
  let count = 0;
  return {
    host,
    repo: {
      host: "gitlab",
      id: `gitlab:${sample.repo.id}`,
      owner: "acme/platform",
      name: "api",
      defaultBranch: "main",
    },
    secrets: { webhook: webhookSecret, token },
    signatureHeader: isSigned ? "webhook-signature" : "x-gitlab-token",
    signOtherwise: (body) =>
      isSigned ? `v1,${createHmac("sha1", SIGNING_TOKEN).update(body).digest("base64")}` : null,
    resign: (request, body) => ({
      body,
      headers: isSigned
        ? { ...request.headers, "webhook-signature": `v1,${sign("sha256", request, body)}` }
        : request.headers,
    }),
    pageSize: 100,
    sendHooksTo: (to) => gitlab.sendHooksTo(to, isSigned ? { signingToken: SIGNING_TOKEN } : { token: TOKEN }),
    async push() {
      count += 1;
      const sha = await sample.commit({ "count.txt": String(count) });
      await sample.push();
      return sha;
    },
    async tag(name, options) {
      await sample.tag(name, options);
      await sample.push(name);
    },
    async pushAndDelete(branch) {
      await sample.branch(branch);
      await sample.push(branch);
      await sample.checkout("main");
      await sample.deleteRemote(branch);
    },
    async setCheck(sha, name, state) {
      await gitlab.setJob(sample.repo, sha, name, STATES[state]);
    },
    reportsOn: async (sha, context) => gitlab.jobsOf(sample.repo, sha, context).map(({ status }) => status),
    rename: async (to) => gitlab.rename(sample.repo, to),
    // Only the hook of the whole instance tells it.
    tellsRenames: false,
    fail({ times, ...fault }) {
      if (times === 0) gitlab.forgetFaults();
      else gitlab.fail({ ...fault, times });
    },
    limitHeaders: (seconds) => ({ "retry-after": String(seconds) }),
    async close() {
      await sample.remove();
      await gitlab.close();
      assert.deepEqual(gitlab.violations, []);
    },
  };
}

describeHost("GitLab, webhooks with a signing token", examples, () => startKit(SIGNING_TOKEN));
describeHost("GitLab, webhooks with a secret token", examples, () => startKit(TOKEN));
