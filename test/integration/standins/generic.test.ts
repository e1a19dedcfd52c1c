import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { GenericStandIn } from "../../support/hosts/generic/generic.ts";
import { git } from "../../support/hosts/git.ts";

describe("The stand-in for any git server", () => {
  let server: GenericStandIn;
  let sha: string;

  beforeEach(async () => {
    server = await GenericStandIn.start();
    const repo = await sampleRepo(server, { owner: "acme", name: "api" });
    await repo.push();
    sha = await repo.head();
    await repo.remove();
  });
  afterEach(() => server.close());

  const report = (more: Record<string, unknown> = {}) => ({
    ...{ type: "report", repo: "acme/api", sha, context: "deliverd/api", state: "success", description: "", url: "" },
    ...more,
  });
  const send = async (body: unknown, headers: Record<string, string> = {}, url = server.reportUrl) => {
    const text = JSON.stringify(body);
    const answer = await fetch(url, { method: "POST", headers: { ...server.sign(text), ...headers }, body: text });
    return answer.status;
  };

  it("takes a report that is as its page says", async () => {
    assert.equal(await send(report()), 204);
    assert.deepEqual([server.reports.length, server.violations], [1, []]);
  });

  it("answers 404 to a report of a repo or a commit that it lacks, which is no mistake", async () => {
    assert.equal(await send(report({ repo: "acme/web" })), 404);
    assert.equal(await send(report({ sha: "5".repeat(40) })), 404);
    assert.deepEqual([server.reports, server.violations], [[], []]);
  });

  const other = new Webhook(`whsec_${Buffer.alloc(32, 5).toString("base64")}`);
  const mistakes: [what: string, body: () => unknown, headers?: Record<string, string>][] = [
    ["a report by another secret", report, { "webhook-signature": other.sign("msg_1", new Date(), "{}") }],
    ["a report without a signature", report, { "webhook-signature": "" }],
    ["a report with an old time", report, { "webhook-timestamp": "1700000000" }],
    ["a report with a key too many", () => report({ digest: "x" })],
    ["a report with a key too few", () => ({ ...report(), url: undefined })],
    ["a report with a state of another host", () => report({ state: "passed" })],
    ["a webhook", () => ({ type: "push", repo: "acme/api", ref: "refs/heads/main", sha })],
    ["a report that is no JSON", report, { "content-type": "text/plain" }],
  ];
  for (const [what, body, headers] of mistakes) {
    it(`refuses and reports ${what}`, async () => {
      assert.equal(await send(body(), headers), 400);
      assert.deepEqual([server.reports.length, server.violations.length], [0, 1]);
    });
  }

  it("refuses a report without the token of its URL", async () => {
    assert.equal(await send(report(), {}, server.reportUrl.replace(/\?.*/, "")), 400);
    assert.equal(server.violations.length, 1);
  });

  it("shows its repos with the password, and only with it", async () => {
    const url = (user: string) => server.cloneUrl.replace("//", `//${user}@`).replace("{owner}/{name}", "acme/api");
    const listed = await git("/", ["ls-remote", url(`${server.username}:${encodeURIComponent(server.token)}`), "HEAD"]);
    assert.ok(listed.startsWith(sha));
    for (const user of [`${server.username}:wrong`, `other:${encodeURIComponent(server.token)}`])
      await assert.rejects(git("/", ["ls-remote", url(user), "HEAD"]), /Authentication failed|could not read/);
  });
});
