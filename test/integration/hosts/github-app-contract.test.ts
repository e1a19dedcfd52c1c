import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { githubHost } from "../../../src/hosts/github/host.ts";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { githubApp as examples } from "../../support/hosts/examples/github-app.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { startGitHub } from "../../support/hosts/github/github.ts";
import { describeHost, type HostKit } from "./contract.ts";

const SECRET = "contract-webhook-secret";

describeHost("GitHub with an App", examples, async (): Promise<HostKit> => {
  const github = await startGitHub();
  const sample = await sampleRepo(github, { owner: "acme", name: "api" });
  const { apiUrl, cloneUrl } = github;
  const app = github.createApp();
  github.installApp("acme");
  let token = "";
  const host = githubHost({
    ...{ key: "github", apiUrl, cloneUrl, webhookSecret: SECRET, token: null, retryBase: 1 },
    app: { id: app.id, privateKey: testKeys.pkcs8 },
    learn: (made) => {
      token = made;
    },
  });
  const repo = { host: "github", owner: "acme", name: "api", defaultBranch: "main" };
  let count = 0;
  return {
    host,
    repo: { ...repo, id: `github:${sample.repo.id}` },
    secrets: {
      webhook: SECRET,
      get token() {
        return token;
      },
    },
    signatureHeader: "x-hub-signature-256",
    signOtherwise: (body) => `sha1=${createHmac("sha1", SECRET).update(body).digest("hex")}`,
    pageSize: 100,
    sendHooksTo: (url) => github.sendAppHooksTo(url, SECRET),
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
      if (state === "pending") github.setCheckRun(sample.repo, sha, { name, status: "in_progress" });
      else if (name === "test" && state === "passed") await github.green(sample.repo, sha, { check: name });
      else {
        const conclusion = state === "passed" ? ("success" as const) : ("failure" as const);
        github.setCheckRun(sample.repo, sha, { name, conclusion });
      }
    },
    requireChecks: async (branch, names) => github.protectBranch(sample.repo, branch, { required: names }),
    reportsOn: async (sha, context) =>
      github.checkRunsOf(sample.repo, sha, context).map(({ status, conclusion }) => conclusion ?? status),
    rename: (to) => github.renameRepo(sample.repo, { name: to }),
    tellsRenames: true,
    fail({ times, ...fault }) {
      if (times === 0) github.forgetFaults();
      else github.fail({ ...fault, times });
    },
    limitHeaders: (seconds) => ({ "retry-after": String(seconds) }),
    async close() {
      await sample.remove();
      await github.close();
      assert.deepEqual(github.violations, []);
    },
  };
});
