import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { GenericStandIn, type PlainRepo, type SentRequest } from "../support/hosts/generic/generic.ts";
import { type Deliverd, startDeliverd } from "../support/world/deliverd.ts";

const MINUTE = 60_000;

describe("Who sends results of CI to deliverd", function () {
  this.timeout(60_000);
  let server: GenericStandIn;
  let stranger: GenericStandIn;
  let redis: TestRedis;
  let deliverd: Deliverd;
  let api: SampleRepo<PlainRepo, SentRequest>;
  let web: SampleRepo<PlainRepo, SentRequest>;
  let url: string;

  before(async () => {
    server = await GenericStandIn.start();
    stranger = await GenericStandIn.start();
    redis = await startRedis();
    const settings = ({ cloneUrl, username, token, secret }: GenericStandIn, webhookSecret = secret) => ({
      ...{ type: "generic", cloneUrl, username, token, webhookSecret },
    });
    const other = `whsec_${Buffer.alloc(32, "another secret ").toString("base64")}`;
    deliverd = await startDeliverd({
      config: {
        redisUrl: redis.url,
        hosts: { git: settings(server), other: settings(stranger, other) },
        repos: ["git/acme/api", "git/acme/web", "git/acme/gone", "other/acme/api"],
      },
    });
    url = `${deliverd.url}/api/v1/ci`;
    api = await sampleRepo(server, { owner: "acme", name: "api" });
    web = await sampleRepo(server, { owner: "acme", name: "web" });
    for (const repo of [api, web]) await repo.push();
  });
  after(async () => {
    await api?.remove();
    await web?.remove();
    await deliverd?.remove();
    await redis?.stop();
    await server?.close();
    await stranger?.close();
  });

  const green = (repo: string, sha: string) => ({ repo, sha, checks: [{ name: "test", state: "success" }] });
  const send = (body: Record<string, unknown>, stamp: { at?: Date; id?: string } = {}, to = url) =>
    server.send(to, body, stamp);
  const events = async (repo: string, sha: string) => {
    const query = new URLSearchParams({ repo, sha });
    const why = await deliverd.api<{ events: { text: string }[] }>(`/api/v1/why?${query}`);
    return why.events.map(({ text }) => text);
  };

  it("cannot send a recorded request again after five minutes, nor one of the future", async () => {
    const sha = await api.head();
    for (const shift of [-6 * MINUTE, -24 * 60 * MINUTE, 6 * MINUTE]) {
      const at = new Date(Date.now() + shift);
      assert.equal((await send(green("acme/api", sha), { at })).status, 401);
      const push = { type: "push", repo: "acme/api", ref: "refs/heads/main", sha };
      assert.equal((await send(push, { at }, `${deliverd.url}/webhooks/git`)).status, 401);
    }
    assert.deepEqual(await events("git/acme/api", sha), []);
  });

  it("changes nothing by a request that is sent twice within them", async () => {
    const sha = await api.head();
    const body = { repo: "acme/api", sha, checks: [{ name: "test", state: "pending", at: "2026-01-01T00:00:00Z" }] };
    for (const _ of [1, 2]) assert.equal((await send(body, { id: "msg_same" })).status, 202);
  });

  it("says nothing of another repo by a commit that both have, nor of another commit of the same repo", async () => {
    const shared = await api.commit({ "a.txt": "1" });
    await api.push();
    await web.git("fetch", "--quiet", api.repo.directory, "main");
    await web.git("push", "--quiet", web.repo.directory, `${shared}:refs/heads/shared`);
    assert.equal((await send(green("acme/web", shared))).status, 202);
    const texts = await events("git/acme/web", shared);
    assert.ok(texts.length > 0);
    assert.deepEqual(
      (await events("git/acme/api", shared)).filter((text) => /\bci\b/.test(text)),
      [],
    );
  });

  const refused: [what: string, repo: string, status: number][] = [
    ["a repo outside `repos`", "acme/secret", 422],
    ["a repo in `repos` that the git server does not show", "acme/gone", 404],
    ["a repo of another host, whose secret this is not", "other/acme/api", 422],
    ["a path that leads out of the server's folder", "acme/../../etc", 400],
    ["no repo", "acme", 400],
  ];
  for (const [what, repo, status] of refused) {
    it(`cannot speak for ${what}`, async () => {
      const answer = await send(green(repo, "c".repeat(40)));
      assert.equal(answer.status, status, answer.answer);
    });
  }

  it("cannot speak for any host with the secret of none", async () => {
    const answer = await stranger.send(url, green("other/acme/api", "c".repeat(40)));
    // The stand-ins have one secret, and `other` has another.
    assert.equal(answer.status, 422);
    assert.equal((await deliverd.fetch("/api/v1/ci", { method: "POST", headers: { authorization: "" } })).status, 401);
  });

  it("cannot make deliverd read a body that is larger than 128 kB, signed or not", async () => {
    const body = { ...green("acme/api", await api.head()), filler: "x".repeat(200_000) };
    assert.equal((await send(body)).status, 413);
    const port = Number(new URL(deliverd.url).port);
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const head = ["POST /api/v1/ci HTTP/1.1", "host: d", "content-type: application/json", "webhook-signature: v1,x"];
    socket.write(`${[...head, "content-length: 9000000000"].join("\r\n")}\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it("cannot hold a check in the future, where no later result would replace it", async () => {
    const at = new Date(Date.now() + 60 * MINUTE).toISOString();
    const body = { repo: "acme/api", sha: await api.head(), checks: [{ name: "test", state: "success", at }] };
    assert.equal((await send(body)).status, 400);
  });

  it("does not get a report of deliverd's taken as a webhook or as a result", async () => {
    const report = { type: "report", repo: "acme/api", sha: await api.head(), context: "x", state: "success", url: "" };
    assert.match((await send(report, {}, `${deliverd.url}/webhooks/git`)).answer, /ignored/);
    assert.equal((await send(report)).status, 400);
  });
});
