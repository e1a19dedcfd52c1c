import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { cloudHost } from "../../../src/hosts/bitbucket/cloud/host.ts";
import { dataCenterHost } from "../../../src/hosts/bitbucket/data-center/host.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { type HostedRepo, type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type HookDelivery, type Login, startBitbucketCloud } from "../../support/hosts/bitbucket/cloud/cloud.ts";
import { startBitbucketDataCenter } from "../../support/hosts/bitbucket/data-center/data-center.ts";
import { bitbucketCloud } from "../../support/hosts/examples/bitbucket-cloud.ts";
import { bitbucketDataCenter } from "../../support/hosts/examples/bitbucket-data-center.ts";
import { describeHost, type HostKit } from "./contract.ts";

const SECRET = "contract-secret";
const STATES = { pending: "INPROGRESS", passed: "SUCCESSFUL", failed: "FAILED" } as const;

const repoOf = ({ id, owner, name }: { id: string; owner: string; name: string }) => ({
  ...{ host: "bitbucket", id: `bitbucket:${id}`, owner, name, defaultBranch: "main" },
});

/** What both kits have in common. */
function commonKit<R extends HostedRepo & { id: string }>(
  host: Host,
  token: string,
  sample: SampleRepo<R, HookDelivery>,
) {
  let count = 0;
  return {
    host,
    repo: repoOf(sample.repo),
    secrets: { webhook: SECRET, token },
    signatureHeader: "x-hub-signature",
    signOtherwise: (body: Buffer) => `sha1=${createHmac("sha1", SECRET).update(body).digest("hex")}`,
    pageSize: 100,
    async push() {
      count += 1;
      const sha = await sample.commit({ "count.txt": String(count) });
      await sample.push();
      return sha;
    },
    async tag(name: string, options: { annotated: boolean }) {
      await sample.tag(name, options);
      await sample.push(name);
    },
    async pushAndDelete(branch: string) {
      await sample.branch(branch);
      await sample.push(branch);
      await sample.checkout("main");
      await sample.deleteRemote(branch);
    },
    limitHeaders: (seconds: number) => ({ "retry-after": String(seconds) }),
  };
}

async function startCloudKit(login: Login): Promise<HostKit> {
  const cloud = await startBitbucketCloud(login);
  const sample = await sampleRepo(cloud, { owner: "acme", name: "api" });
  const host = cloudHost({
    ...{ key: "bitbucket", apiUrl: cloud.apiUrl, cloneUrl: cloud.cloneUrl, webhookSecret: SECRET, retryBase: 1 },
    username: login.kind === "api" ? login.email : null,
    token: login.token,
  });
  return {
    ...commonKit(host, login.token, sample),
    sendHooksTo: (url) => cloud.sendHooksTo(url, SECRET),
    setCheck: (sha, name, state) => cloud.setStatus(sample.repo, sha, { name, state: STATES[state] }),
    reportsOn: async (sha, context) =>
      cloud.statusesOf(sample.repo, sha).flatMap(({ name, state }) => (name === context ? [state] : [])),
    tellsRenames: true,
    rename: (to) => cloud.rename(sample.repo, to),
    fail({ times, ...fault }) {
      if (times === 0) cloud.front.forgetFaults();
      else cloud.fail({ ...fault, times });
    },
    async close() {
      await sample.remove();
      await cloud.close();
      assert.deepEqual(cloud.front.violations, []);
    },
  };
}

async function startDataCenterKit(username: string | null): Promise<HostKit> {
  const token = "BBDC-contract+canary0123456789/Ax";
  const dataCenter = await startBitbucketDataCenter({ username, token });
  const sample = await sampleRepo(dataCenter, { owner: "ACME", name: "api" });
  const { url, cloneUrl } = dataCenter;
  const host = dataCenterHost({
    ...{ key: "bitbucket", url, cloneUrl, username, webhookSecret: SECRET, token, retryBase: 1 },
  });
  return {
    ...commonKit(host, token, sample),
    sendHooksTo: (to) => dataCenter.sendHooksTo(to, SECRET),
    setCheck: async (sha, name, state) => dataCenter.setBuild(sample.repo, sha, { name, state: STATES[state] }),
    requireChecks: async (branch, names) =>
      dataCenter.requireBuilds(sample.repo, "BRANCH", `refs/heads/${branch}`, names),
    reportsOn: async (sha, context) =>
      dataCenter.buildsOf(sample.repo, sha).flatMap(({ key, state }) => (key === context ? [state] : [])),
    tellsRenames: true,
    rename: (to) => dataCenter.rename(sample.repo, { name: to }),
    fail({ times, ...fault }) {
      if (times === 0) dataCenter.front.forgetFaults();
      else dataCenter.fail({ ...fault, times });
    },
    async close() {
      await sample.remove();
      await dataCenter.close();
      assert.deepEqual(dataCenter.front.violations, []);
    },
  };
}

describeHost("Bitbucket Cloud, with an access token", bitbucketCloud, () =>
  startCloudKit({ kind: "access", token: "ATCTT-contract=canary" }),
);
describeHost("Bitbucket Cloud, with the API token of an account", bitbucketCloud, () =>
  startCloudKit({ kind: "api", email: "sam@example.com", token: "ATATT-contract=canary" }),
);
describeHost("Bitbucket Data Center, with a user's token", bitbucketDataCenter, () => startDataCenterKit("sam"));
describeHost("Bitbucket Data Center, with the token of a repo", bitbucketDataCenter, () => startDataCenterKit(null));
