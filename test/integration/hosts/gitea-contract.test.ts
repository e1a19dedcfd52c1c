import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { giteaHost } from "../../../src/hosts/gitea/host.ts";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { gitea as examples } from "../../support/hosts/examples/gitea.ts";
import { startGitea } from "../../support/hosts/gitea/gitea.ts";
import { describeHost, type HostKit } from "./contract.ts";

const SECRET = "contract-webhook-secret";
const STATES = { pending: "pending", passed: "success", failed: "failure" } as const;

/** @param signatureHeader the only header with a signature that reaches deliverd, as behind a strict proxy */
async function startKit(software: "gitea" | "forgejo", signatureHeader: string): Promise<HostKit> {
  const gitea = await startGitea(software);
  gitea.passes = (header) => header === signatureHeader;
  const sample = await sampleRepo(gitea, { owner: "acme", name: "api" });
  const { url, cloneUrl, token } = gitea;
  const host = giteaHost({ key: "forge", url, cloneUrl, webhookSecret: SECRET, token, retryBase: 1 });
  // The first look at a repo asks for the version.
  await host.findRepo("acme", "api");
  const prefix = signatureHeader === "x-hub-signature-256" ? "sha256=" : "";
  let count = 0;
  return {
    host,
    repo: { host: "forge", id: `forge:${sample.repo.id}`, owner: "acme", name: "api", defaultBranch: "main" },
    secrets: { webhook: SECRET, token },
    signatureHeader,
    signOtherwise: (body) => prefix.replace("256", "1") + createHmac("sha1", SECRET).update(body).digest("hex"),
    pageSize: 50,
    sendHooksTo: (to) => void gitea.sendHooksTo(to, SECRET),
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
      await gitea.setStatus(sample.repo, sha, name, STATES[state]);
    },
    requireChecks: async (branch, names) => gitea.protect(sample.repo, branch, names),
    reportsOn: async (sha, context) => gitea.statusesOf(sample.repo, sha, context).map(({ state }) => state),
    rename: async (to) => gitea.rename(sample.repo, to),
    tellsRenames: false,
    fail({ times, ...fault }) {
      if (times === 0) gitea.forgetFaults();
      else gitea.fail({ ...fault, times });
    },
    limitHeaders: (seconds) => ({ "retry-after": String(seconds) }),
    async close() {
      await sample.remove();
      await gitea.close();
      assert.deepEqual(gitea.violations, []);
    },
  };
}

describeHost("Gitea", examples, () => startKit("gitea", "x-gitea-signature"));
describeHost("Gitea, by GitHub's header", examples, () => startKit("gitea", "x-hub-signature-256"));
describeHost("Forgejo", examples, () => startKit("forgejo", "x-forgejo-signature"));
