import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import * as cloudModule from "../../support/hosts/bitbucket/cloud/cloud.ts";
import * as dataCenterModule from "../../support/hosts/bitbucket/data-center/data-center.ts";

interface Got {
  headers: IncomingHttpHeaders;
  body: string;
}

/** Answers with these statuses in turn, then with 202. */
async function startReceiver(...statuses: number[]) {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    got.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(statuses.shift() ?? 202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { got, url, close };
}

/** A client that shares nothing with deliverd. */
async function send(method: string, url: string, headers: Record<string, string>, body?: unknown) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    redirect: "manual",
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}
type Sent = ReturnType<typeof send>;

describe("The Bitbucket Cloud stand-in", () => {
  let cloud: cloudModule.BitbucketCloudStandIn;
  let sample: SampleRepo<cloudModule.Repository, cloudModule.HookDelivery>;
  let sha: string;

  before(async () => {
    cloud = await cloudModule.startBitbucketCloud();
    sample = await sampleRepo(cloud, { owner: "acme", name: "api", files: { a: "" } });
    sha = await sample.head();
    await sample.push();
  });
  after(async () => {
    await sample?.remove();
    await cloud?.close();
  });
  afterEach(() => {
    cloud.hooksOf(sample.repo).splice(0);
    cloud.rateLimit.used = 0;
  });

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    send(method, `${cloud.apiUrl}${path}`, { authorization: `Bearer ${cloud.login.token}`, ...headers }, body);
  const commit = (at = sha) => `/repositories/acme/api/commit/${at}`;
  const status = { key: "k", state: "SUCCESSFUL", url: "https://ci.example.com/1" };
  const post = (more: Record<string, unknown>, at = sha) =>
    call("POST", `${commit(at)}/statuses/build`, { ...status, ...more });
  const hook = { url: "https://d.example.com/x", active: true, events: ["repo:push"] };

  describe("refuses", () => {
    const mistakes: [what: string, () => Sent, status: number][] = [
      ["a wrong token", () => call("GET", "/repositories/acme/api", undefined, { authorization: "Bearer x" }), 401],
      [
        "an access token as a password",
        () =>
          call("GET", "/repositories/acme/api", undefined, {
            authorization: `Basic ${Buffer.from(`acme:${cloud.login.token}`).toString("base64")}`,
          }),
        401,
      ],
      ["a repo that is not there", () => call("GET", "/repositories/acme/none"), 404],
      ["a repo by its slug without a workspace", () => call("GET", "/repositories/%7B%7D/api"), 404],
      ["a repo by its UUID without braces", () => call("GET", `/repositories/acme/${sample.repo.id}`), 404],
      ["a commit that is not there", () => post({}, "5".repeat(40)), 404],
      ["a key of 41 characters", () => post({ key: "x".repeat(41) }), 400],
      ["a status without a key", () => post({ key: "" }), 400],
      ["a status without a URL", () => post({ url: undefined }), 400],
      ["a state of Data Center's", () => post({ state: "CANCELLED" }), 400],
      ["a webhook without events", () => call("POST", "/repositories/acme/api/hooks", { ...hook, events: [] }), 400],
    ];
    for (const [what, ask, expected] of mistakes)
      it(what, async () => {
        assert.equal((await ask()).status, expected);
        assert.deepEqual(cloud.front.violations, []);
      });

    const violations: [what: string, () => Sent, RegExp][] = [
      ["a route that Bitbucket does not have", () => call("GET", "/repos/acme/api"), /no such route/],
      ["a path of Data Center's", () => call("GET", `${commit()}/builds`), /no such route/],
      ["a query that it does not know", () => call("GET", `${commit()}/statuses?per_page=100`), /per_page/],
      ["a page that is too large", () => call("GET", `${commit()}/statuses?pagelen=200`), /200/],
      ["a status with a key of GitHub's", () => post({ target_url: "x" }), /target_url/],
      ["a body that is no JSON", () => call("POST", `${commit()}/statuses/build`, "{"), /JSON/],
      [
        "an event that there is not",
        () => call("POST", "/repositories/acme/api/hooks", { ...hook, events: ["push"] }),
        /push/,
      ],
      [
        "a webhook with a key of GitHub's",
        () => call("POST", "/repositories/acme/api/hooks", { config: {} }),
        /config/,
      ],
    ];
    for (const [what, ask, violation] of violations)
      it(`${what}, and says so to the test`, async () => {
        await ask();
        assert.match(cloud.front.violations.splice(0)[0] ?? "", violation);
      });

    it("the 1,001st request of an hour, and does not say how long to wait", async () => {
      cloud.rateLimit.used = 999;
      const last = await call("GET", "/repositories/acme/api");
      assert.deepEqual([last.status, last.headers.get("x-ratelimit-nearlimit")], [200, "true"]);
      const { status, headers } = await call("GET", "/repositories/acme/api");
      assert.deepEqual([status, headers.get("retry-after")], [429, null]);
    });
  });

  it("takes a key of 40 characters, and overwrites the status with the same key", async () => {
    const key = "x".repeat(40);
    assert.equal((await post({ key })).status, 201);
    assert.equal((await post({ key, state: "FAILED" })).status, 201);
    const { body } = await call("GET", `${commit()}/statuses?pagelen=100`);
    const own = body.values.filter((one: { key: string }) => one.key === key);
    assert.deepEqual(
      own.map((one: { state: string }) => one.state),
      ["FAILED"],
    );
  });

  it("gives pages of ten, with the whole address of the next one", async () => {
    for (let at = 0; at < 11; at++) await post({ key: `page ${at}` });
    const { body } = await call("GET", `${commit()}/statuses`);
    assert.equal(body.values.length, 10);
    assert.equal(body.next, `${cloud.apiUrl}${commit()}/statuses?page=2`);
  });

  it("shows a repo by its id without a workspace, and a renamed one no longer by its old name", async () => {
    const repo = await cloud.createRepo({ owner: "acme", name: "old" });
    await cloud.rename(repo, "new");
    assert.equal((await call("GET", "/repositories/acme/old")).status, 404);
    const { body } = await call("GET", `/repositories/%7B%7D/%7B${repo.id}%7D`);
    assert.equal(body.full_name, "acme/new");
  });

  it("signs webhooks that have a secret, and repeats what was not answered well twice", async () => {
    const receiver = await startReceiver(500, 503, 500, 401);
    try {
      const own = cloud.addHook(sample.repo, receiver.url, { secret: "s" });
      await cloud.setStatus(sample.repo, sha, { name: "test", state: "INPROGRESS" });
      assert.deepEqual(
        receiver.got.map(({ headers }) => headers["x-attempt-number"]),
        ["1", "2", "3"],
      );
      own.secret = null;
      await cloud.setStatus(sample.repo, sha, { name: "test", state: "SUCCESSFUL" });
      const [first, , , last] = receiver.got;
      const right = createHmac("sha256", "s")
        .update(first?.body ?? "")
        .digest("hex");
      assert.equal(first?.headers["x-hub-signature"], `sha256=${right}`);
      assert.equal(last?.headers["x-hub-signature"], undefined);
      assert.deepEqual(
        [first, last].map((one) => one?.headers["x-event-key"]),
        ["repo:commit_status_created", "repo:commit_status_updated"],
      );
      assert.equal(receiver.got.length, 4, "a 401 is not repeated");
    } finally {
      receiver.close();
    }
  });

  it("tells several refs of one push in one webhook, and none of a tag from the web pages", async () => {
    const receiver = await startReceiver();
    try {
      cloud.addHook(sample.repo, receiver.url);
      await cloud.push(sample.repo, ["refs/heads/main", "refs/heads/gone"]);
      await cloud.push(sample.repo, "refs/tags/v1", true);
      const changes = receiver.got.map(({ body }) => JSON.parse(body).push.changes.length);
      assert.deepEqual(changes, [2, 0]);
    } finally {
      receiver.close();
    }
  });
});

describe("The Bitbucket Data Center stand-in", () => {
  let dataCenter: dataCenterModule.BitbucketDataCenterStandIn;
  let sample: SampleRepo<dataCenterModule.Repository, dataCenterModule.HookDelivery>;
  let sha: string;

  before(async () => {
    dataCenter = await dataCenterModule.startBitbucketDataCenter();
    sample = await sampleRepo(dataCenter, { owner: "ACME", name: "api", files: { a: "" } });
    sha = await sample.head();
    await sample.push();
  });
  after(async () => {
    await sample?.remove();
    await dataCenter?.close();
  });
  afterEach(() => {
    dataCenter.hooksOf(sample.repo).splice(0);
    dataCenter.backend.mayRead = true;
  });

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    send(
      method,
      `${dataCenter.url}/rest${path}`,
      { authorization: `Bearer ${dataCenter.login.token}`, ...headers },
      body,
    );
  const repo = "/api/latest/projects/ACME/repos/api";
  const build = { key: "k", state: "SUCCESSFUL", url: "https://ci.example.com/1" };
  const post = (more: Record<string, unknown>, at = sha) =>
    call("POST", `${repo}/commits/${at}/builds`, { ...build, ...more });
  const hook = { name: "d", url: "https://d.example.com/x", active: true, events: ["repo:refs_changed"] };

  describe("refuses", () => {
    const mistakes: [what: string, () => Sent, status: number][] = [
      ["a wrong token", () => call("GET", repo, undefined, { authorization: "Bearer x" }), 401],
      ["a repo that is not there", () => call("GET", "/api/latest/projects/ACME/repos/none"), 404],
      ["a commit that is not there", () => call("GET", `${repo}/commits/${"5".repeat(40)}`), 404],
      ["a build of a commit that is not there", () => post({}, "5".repeat(40)), 400],
      ["a key of 256 characters", () => post({ key: "x".repeat(256) }), 400],
      ["a URL of 451 characters", () => post({ url: `https://x/${"x".repeat(441)}` }), 400],
      ["a state of Cloud's", () => post({ state: "STOPPED" }), 400],
      ["a webhook without a name", () => call("POST", `${repo}/webhooks`, { ...hook, name: "" }), 400],
      ["a webhook without events", () => call("POST", `${repo}/webhooks`, { ...hook, events: [] }), 400],
    ];
    for (const [what, ask, expected] of mistakes)
      it(what, async () => {
        assert.equal((await ask()).status, expected);
        assert.deepEqual(dataCenter.front.violations, []);
      });

    it("what the token lacks a right for with 401 too, under another name", async () => {
      dataCenter.backend.mayRead = false;
      const { status, body } = await call("GET", repo);
      assert.deepEqual([status, body.errors[0].exceptionName], [401, "com.atlassian.bitbucket.AuthorisationException"]);
    });

    const violations: [what: string, () => Sent, RegExp][] = [
      ["a route of Cloud's", () => call("GET", `/api/latest/repositories/ACME/api`), /no such route/],
      [
        "a list of the builds of a repo, which it does not have",
        () => call("GET", `${repo}/commits/${sha}/builds`),
        /no such route/,
      ],
      ["a query that it does not know", () => call("GET", `/build-status/1.0/commits/${sha}?pagelen=100`), /pagelen/],
      ["a build with a key of Cloud's", () => post({ refname: "main" }), /refname/],
      ["a body that is no JSON", () => call("POST", `${repo}/commits/${sha}/builds`, "{"), /JSON/],
      ["an event of Cloud's", () => call("POST", `${repo}/webhooks`, { ...hook, events: ["repo:push"] }), /repo:push/],
      [
        "a webhook with a secret in the wrong place",
        () => call("POST", `${repo}/webhooks`, { ...hook, secret: "s" }),
        /secret/,
      ],
    ];
    for (const [what, ask, violation] of violations)
      it(`${what}, and says so to the test`, async () => {
        await ask();
        assert.match(dataCenter.front.violations.splice(0)[0] ?? "", violation);
      });
  });

  it("lists the newest 100 builds of a commit in all repos that have it, and counts all", async () => {
    for (let at = 0; at < 101; at++)
      dataCenter.setBuild(sample.repo, sha, { name: `build ${at}`, state: at === 0 ? "FAILED" : "SUCCESSFUL" });
    const { body } = await call("GET", `/build-status/1.0/commits/${sha}?limit=1000`);
    assert.deepEqual([body.values.length, body.values[0].key, body.isLastPage], [100, "build 100", true]);
    const counted = await call("GET", `/build-status/1.0/commits/stats/${sha}`);
    assert.deepEqual([counted.body.failed, counted.body.successful], [1, 100]);
  });

  it("gives pages of 25, and says where the next one starts", async () => {
    const { body } = await call("GET", `/build-status/1.0/commits/${sha}`);
    assert.deepEqual([body.values.length, body.isLastPage, body.nextPageStart], [25, false, 25]);
  });

  it("lists no builds of an unknown commit, as if it had none", async () => {
    const { status, body } = await call("GET", `/build-status/1.0/commits/${"5".repeat(40)}`);
    assert.deepEqual([status, body.values], [200, []]);
  });

  it("sends no webhook of a build, repeats none, and signs a test of a webhook that it knows", async () => {
    const receiver = await startReceiver(500, 202, 202);
    try {
      const own = dataCenter.addHook(sample.repo, receiver.url, { secret: "s" });
      dataCenter.setBuild(sample.repo, sha, { name: "test", state: "SUCCESSFUL" });
      await post({ key: "test" });
      assert.equal(receiver.got.length, 0);
      await dataCenter.push(sample.repo, "refs/heads/main");
      const test = (more: string) =>
        call("POST", `${repo}/webhooks/test?url=${encodeURIComponent(receiver.url)}${more}`, {});
      await test("");
      await test(`&webhookId=${own.id}`);
      const signed = receiver.got.map(({ headers }) => headers["x-hub-signature"]?.slice(0, 7));
      assert.deepEqual(signed, ["sha256=", undefined, "sha256="]);
      assert.equal(receiver.got.at(-1)?.body, '{"test":true}');
    } finally {
      receiver.close();
    }
  });

  it("names the object of an annotated tag, and its commit where one ref changed", async () => {
    await sample.tag("v1", { annotated: true });
    const [one] = await sample.push("v1");
    const payload = one?.payload as { changes: { toHash: string }[]; toCommit?: { id: string } };
    assert.notEqual(payload.changes[0]?.toHash, sha);
    assert.equal(payload.toCommit?.id, sha);
    const [two] = await dataCenter.push(sample.repo, ["refs/tags/v1", "refs/heads/main"]);
    assert.equal("toCommit" in (two?.payload ?? {}), false);
  });
});
