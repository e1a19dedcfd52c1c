import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createHeadReader } from "../../../src/git/remote-head.ts";
import { genericHost } from "../../../src/hosts/generic/host.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import { pushedChecksOf, savePushedChecks } from "../../../src/ledger/pushed-checks.ts";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { generic as examples } from "../../support/hosts/examples/generic.ts";
import { GenericStandIn } from "../../support/hosts/generic/generic.ts";
import { tempDir } from "../../support/processes/process.ts";
import { describeHost, type HostKit } from "./contract.ts";

const STATES = { pending: "pending", passed: "success", failed: "failure" } as const;

describeHost("generic, any git server", examples, async (): Promise<HostKit> => {
  const server = await GenericStandIn.start();
  const directory = await tempDir();
  const ledger = await openLedger({ dataDir: directory.path });
  const { cloneUrl, username, token, secret, reportUrl } = server;
  const options = { key: "generic", cloneUrl, username, token, webhookSecret: secret, reportUrl };
  const host = genericHost(options, {
    learn: () => {},
    readHead: createHeadReader(),
    pushedChecks: (repo, sha) => pushedChecksOf(ledger, repo, sha),
  });
  const sample = await sampleRepo(server, { owner: "acme", name: "api" });
  const repo = { id: "generic:acme/api", host: "generic", owner: "acme", name: "api", defaultBranch: "main" };
  let count = 0;
  let at = Date.UTC(2026, 0, 1);
  return {
    host,
    repo,
    secrets: { webhook: secret, token },
    signatureHeader: "webhook-signature",
    signOtherwise: (body) => `v1,${createHmac("sha1", secret).update(body).digest("base64")}`,
    resign: (_request, body) => ({ headers: server.sign(body.toString()), body }),
    pageSize: 100,
    sendHooksTo: (url) => server.sendHooksTo(url),
    async push() {
      count += 1;
      const sha = await sample.commit({ "count.txt": String(count) });
      await sample.push();
      return sha;
    },
    async tag(name, { annotated }) {
      await sample.tag(name, { annotated });
      await sample.push(name);
    },
    async pushAndDelete(branch) {
      await sample.branch(branch);
      await sample.push(branch);
      await sample.checkout("main");
      await sample.deleteRemote(branch);
    },
    async setCheck(sha, name, state) {
      at += 1_000;
      const checks = [{ name, state: STATES[state], url: null, at }];
      await savePushedChecks(ledger, { repo, sha, checks, deliveryId: "" });
      await server.setCheck(repo, sha, name, STATES[state]);
    },
    // A report is a state, so a receiver sets it: one that comes again changes nothing.
    reportsOn: async (sha, context) => {
      const its = server.reports.filter((each) => each.sha === sha && each.context === context);
      return its.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
    },
    // The path is all that names a repo.
    rename: null,
    tellsRenames: false,
    fail(fault) {
      if (fault.times === 0) server.forgetFaults();
      else server.fail(fault);
    },
    tellsCi: false,
    limitHeaders: () => null,
    async close() {
      await sample.remove();
      await server.close();
      await ledger.close();
      await directory.remove();
      assert.deepEqual(server.violations, []);
    },
  };
});
