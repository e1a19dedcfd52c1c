import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { GenericStandIn, type PlainRepo, type SentRequest } from "../support/hosts/generic/generic.ts";
import { type DocumentedScripts, installScripts } from "../support/hosts/generic/scripts.ts";
import { type TempDir, tempDir, until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

describe("A repo on any git server", function () {
  this.timeout(90_000);
  let server: GenericStandIn;
  let world: World;
  let directory: TempDir;
  let repo: SampleRepo<PlainRepo, SentRequest>;
  let scripts: DocumentedScripts;

  before(async () => {
    server = await GenericStandIn.start();
    const { cloneUrl, username, token, secret, reportUrl } = server;
    world = await startWorld({
      config: {
        hosts: { git: { type: "generic", cloneUrl, username, token, webhookSecret: secret, reportUrl } },
        repos: ["git/acme/platform/api"],
      },
    });
    directory = await tempDir();
    const names = { repo: "acme/platform/api", url: world.deliverd.url, key: "git" };
    scripts = await installScripts(directory.path, server.secret, names);
    repo = await sampleRepo(server, { owner: "acme/platform", name: "api" });
    await scripts.installHook(repo.repo.directory);
    await repo.commit({ ".deliverd.yml": pipeline([image("api")]) });
  });
  after(async () => {
    await repo?.remove();
    await directory?.remove();
    await stopAndCheck(world);
    await server?.close();
    assert.deepEqual(server?.violations, []);
  });

  const said = (sha: string) => server.reports.filter((each) => each.sha === sha && each.context === "deliverd/api");
  const waitFor = (sha: string, state: string) =>
    until(`deliverd/api is ${state}`, () => {
      const last = said(sha).at(-1);
      return last?.state === state ? last : null;
    }).catch((error: unknown) => {
      const reports = said(sha).map((each) => `${each.state}: ${each.description}`);
      throw new Error(`${String(error)}\nreports: ${reports.join("\n  ")}\n${world.deliverd.output().slice(-6_000)}`);
    });
  const query = (sha: string) => new URLSearchParams({ repo: "git/acme/platform/api", sha }).toString();
  const delivery = async (sha: string) => {
    const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(sha)}`);
    return items[0] ?? assert.fail("there is no delivery");
  };
  const order = (type: string, sha: string, id: string) => {
    const body = { type, repo: "acme/platform/api", sha, person: "sam" };
    return server.send(`${world.deliverd.url}/webhooks/git`, body, { id });
  };

  it("is delivered from push to release by the scripts of its page: red, cancelled, retried, green, reported", async () => {
    const sha = await repo.head();
    await repo.push();
    await waitFor(sha, "pending");
    assert.match(await scripts.sendResult(repo.directory, "failure"), /"status":"accepted"/);
    const red = await waitFor(sha, "failure");
    assert.match(red.description, /test failed/);
    assert.equal((await delivery(sha)).state, "waiting");

    assert.equal((await order("cancel", sha, "msg_cancel")).status, 202);
    await until("it is cancelled", () => /cancelled by sam/.test(said(sha).at(-1)?.description ?? ""));
    assert.equal((await order("retry", sha, "msg_retry")).status, 202);
    await until("it is tried again", async () => (await delivery(sha)).state === "waiting");

    await scripts.sendResult(repo.directory, "success");
    const done = await waitFor(sha, "success");
    const { id } = await delivery(sha);
    assert.equal(done.url, `${world.deliverd.url}/deliveries/${id}`);
    const { items } = await world.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?${query(sha)}`);
    assert.deepEqual([items.length, items[0]?.repo], [1, "git/acme/platform/api"]);
    assert.equal(await world.digest("acme/api", `sha-${sha.slice(0, 7)}`), items[0]?.digest);
    const texts = said(sha).map(({ state, description }) => `${state} ${description}`);
    assert.deepEqual(
      texts.filter((text, index) => text === texts[index - 1]),
      [],
      "no report came twice",
    );
  });

  it("is delivered although its webhook is lost: the results of CI lead to the commit", async () => {
    const sha = await repo.commit({ "greeting.txt": "Hello again\n" });
    // git leaves out a hook that may not run.
    await chmod(`${repo.repo.directory}/hooks/post-receive`, 0o644);
    await repo.push();
    await scripts.sendResult(repo.directory, "success");
    await waitFor(sha, "success");
    const output = world.deliverd.output();
    for (const secret of [server.token, server.secret, "report-canary"]) assert.ok(!output.includes(secret));
  });
});
