import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/network/faulty-proxy.ts";
import { pidsOf } from "../support/processes/command-lines.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, slowDockerfile, startWorld, type World } from "../support/world/world.ts";

const run = promisify(execFile);

describe("A delivery that fails or is stopped", function () {
  this.timeout(90_000);
  let proxy: FaultyProxy;
  let world: World;

  before(async () => {
    world = await startWorld({
      async config({ registry, second }) {
        proxy = await startFaultyProxy(second.url);
        const { url, username, password } = registry;
        return {
          registries: {
            local: { type: "oci", url, username, password, default: true, shared: ["acme/common*"] },
            flaky: { type: "oci", url: proxy.url },
          },
          repos: ["acme/*", { match: "acme/narrow", registries: ["local"] }],
        };
      },
    });
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await proxy?.stop();
    assert.deepEqual(violations, []);
  });

  it("because of its build shows the failing step's last lines at the status's address", async () => {
    const words = "echo compiling main.c; echo main.c:7: missing semicolon; exit 3";
    const repo = await world.repo("broken", {
      Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "${words}"]\n`,
      ".deliverd.yml": pipeline([image("broken")]),
    });
    const sha = await begin(repo);
    const { targetUrl } = await world.status(repo, sha, "broken", "failure");
    const { id, state, because, artifacts } = await world.delivery(repo, sha);
    assert.equal(targetUrl, `${world.deliverd.url}/deliveries/${id}`);
    assert.deepEqual([state, artifacts[0]?.state], ["failed", "failed"]);
    assert.match(because, /missing semicolon/);
    const page = await (await world.deliverd.fetch(`/deliveries/${id}`)).text();
    assert.match(page, /main\.c:7: missing semicolon/);
    assert.deepEqual(await world.releases(repo, sha), []);
    assert.deepEqual(await world.tags("acme/broken"), []);
    assert.deepEqual(world.notices(repo, sha), []);
  });

  it("because of a bad pipeline file reports all its problems with line and key under `deliverd`; the next commit can fix it", async () => {
    const repo = await world.repo("typo", {
      ".deliverd.yml": pipeline([image("typo", { publish: [{ to: "lcoal", as: "acme/typo", tags: ["{verison}"] }] })], {
        ci: { requierd: ["test"] },
      }),
    });
    const bad = await begin(repo);
    const { description } = await world.status(repo, bad, null, "failure");
    assert.match(description ?? "", /^\.deliverd\.yml:3: ci\.requierd: .*required/);
    const { id, state, because } = await world.delivery(repo, bad);
    assert.equal(state, "failed");
    const page = await (await world.deliverd.fetch(`/deliveries/${id}`)).text();
    for (const text of [because, await world.log(repo, bad), page.replaceAll("&#34;", '"')]) {
      assert.match(text, /\.deliverd\.yml:3: ci\.requierd: /);
      assert.match(text, /\.deliverd\.yml:\d+: artifacts\[0\]\.publish\[0\]\.to: .*did you mean "local"/);
      assert.match(text, /\.deliverd\.yml:\d+: artifacts\[0\]\.publish\[0\]\.tags\[0\]: .*did you mean "version"/);
    }
    assert.equal((await world.log(repo, bad)).match(/^✗ /gm)?.length, 1);
    await repo.commit({ ".deliverd.yml": pipeline([image("typo")]) });
    await world.release(repo);
  });

  it("because the server does not allow the registry to the repo says so", async () => {
    const publish = [{ to: "flaky", as: "acme/narrow" }];
    const repo = await world.repo("narrow", { ".deliverd.yml": pipeline([image("narrow", { publish })]) });
    const sha = await begin(repo);
    const { description } = await world.status(repo, sha, null, "failure");
    assert.match(description ?? "", /goes to "flaky", but the server allows acme\/narrow only local/);
  });

  it("because one registry is down delays no other, and needs no second build when it is back", async () => {
    const publish = [
      { to: "local", as: "acme/patient" },
      { to: "flaky", as: "acme/patient" },
    ];
    const repo = await world.repo("patient", { ".deliverd.yml": pipeline([image("patient", { publish })]) });
    proxy.fault = () => ({ status: 503 });
    const sha = await begin(repo);
    const short = `sha-${sha.slice(0, 7)}`;
    await until(
      "it says that it will try again",
      () => {
        return /^trying again in \d+ s: /.test(
          world.github.lastStatus(repo.repo, sha, "deliverd/patient")?.description ?? "",
        );
      },
      40_000,
    );
    const digest = await world.digest("acme/patient", short);
    assert.notEqual(digest, null);
    assert.deepEqual(world.notices(repo, sha), []);
    proxy.fault = () => undefined;
    await world.status(repo, sha, "patient", "success");
    assert.equal(await world.digest("acme/patient", short, world.second), digest);
    assert.equal((await world.log(repo, sha)).match(/: frozen as sha256:/g)?.length, 1);
    await until("it is announced", () => world.notices(repo, sha).length === 1);
  });

  it("because another repo owns the name is released when the server shares the name", async () => {
    const as = (name: string) => pipeline([image("thing", { publish: [{ to: "local", as: name }] })]);
    const first = await world.repo("first", { ".deliverd.yml": as("acme/first") });
    const owned = await world.release(first, "thing");
    const thief = await world.repo("thief", { ".deliverd.yml": as("acme/first"), "greeting.txt": "Mine\n" });
    const sha = await begin(thief);
    const { description } = await world.status(thief, sha, "thing", "failure");
    assert.match(description ?? "", /^acme\/first in local belongs to another repo/);
    const names = (await world.tags("acme/first")).filter((tag) => tag.includes(sha.slice(0, 7)));
    assert.deepEqual(names, []);
    assert.equal(await world.digest("acme/first", "main"), (await world.releases(first, owned))[0]?.digest);

    await first.commit({ ".deliverd.yml": as("acme/commons") });
    await world.release(first, "thing");
    await thief.commit({ ".deliverd.yml": as("acme/commons") });
    await world.release(thief, "thing");
  });

  it("because an immutable name holds other content reports that, and overwrites nothing", async () => {
    const other = await world.repo("other", { ".deliverd.yml": pipeline([image("other")]) });
    const foreign = await world.digest("acme/other", `sha-${(await world.release(other)).slice(0, 7)}`);
    const { host, username, password } = world.registry;
    const login = ["--src-creds", "--dest-creds"].flatMap((option) => [option, `${username}:${password}`]);
    await run("skopeo", [
      ...["--insecure-policy", "copy", ...login, "--src-tls-verify=false", "--dest-tls-verify=false"],
      ...[`docker://${host}/acme/other@${foreign}`, `docker://${host}/acme/taken:1.0.0`],
    ]);
    const repo = await world.repo("taken", { ".deliverd.yml": pipeline([image("taken")]) });
    await repo.tag("v1.0.0");
    await repo.push("v1.0.0");
    const sha = await begin(repo);
    const { description } = await world.status(repo, sha, "taken", "failure");
    assert.match(description ?? "", /acme\/taken:1\.0\.0/);
    assert.equal(await world.digest("acme/taken", "1.0.0"), foreign);
    assert.deepEqual(await world.releases(repo, sha), []);
  });

  it("continues where it failed after a manual retry, under the same id; 409 if no retry is possible", async () => {
    const publish = [{ to: "flaky", as: "acme/again" }];
    const repo = await world.repo("again", { ".deliverd.yml": pipeline([image("again", { publish })]) });
    proxy.fault = ({ method }) => (method === "GET" || method === "HEAD" ? undefined : { status: 403 });
    const sha = await begin(repo);
    await world.status(repo, sha, "again", "failure");
    const failed = await world.delivery(repo, sha);
    proxy.fault = () => undefined;
    const answer = await act(failed.id, "retry");
    assert.equal(answer.status, 202);
    assert.equal(((await answer.json()) as { state: string }).state, "queued");
    await world.status(repo, sha, "again", "success");
    const done = await world.delivery(repo, sha);
    assert.deepEqual([done.id, done.state], [failed.id, "delivered"]);
    assert.equal((await world.log(repo, sha)).match(/: frozen as sha256:/g)?.length, 1);
    for (const what of ["retry", "cancel"] as const) await assertConflict(await act(done.id, what));
  });

  it("by a manual cancel stops its build, and only a retry starts it again", async () => {
    const repo = await world.repo("stopped", {
      Dockerfile: slowDockerfile(61.25),
      ".deliverd.yml": pipeline([image("stopped")]),
    });
    const sha = await begin(repo);
    await until("the build runs", async () => (await pidsOf("/bin/busybox", "sleep", "61.25")).length > 0, 40_000);
    const { id } = await world.delivery(repo, sha);
    await assertConflict(await act(id, "retry"));
    assert.equal((await act(id, "cancel")).status, 202);
    await world.status(repo, sha, "stopped", "error");
    await until("nothing of it runs", async () => (await pidsOf("/bin/busybox", "sleep", "61.25")).length === 0);
    assert.equal((await world.delivery(repo, sha)).state, "cancelled");
    await assertConflict(await act(id, "cancel"));

    await world.github.green(repo.repo, sha);
    const next = await repo.commit({ Dockerfile: slowDockerfile(0) });
    await world.release(repo);
    assert.equal((await world.delivery(repo, sha)).state, "cancelled");
    assert.notEqual((await world.delivery(repo, next)).id, id);
    assert.equal((await act(id, "retry")).status, 202);
    await until("it builds again", async () => (await pidsOf("/bin/busybox", "sleep", "61.25")).length > 0, 40_000);
    assert.equal((await act(id, "cancel")).status, 202);
    await until("it has ended", async () => (await world.delivery(repo, sha)).state === "cancelled");
  });

  it("by a cancel while it waits for CI says so", async () => {
    const repo = await world.repo("unwanted", { ".deliverd.yml": pipeline([image("unwanted")]) });
    const sha = await repo.head();
    await repo.push();
    await world.status(repo, sha, "unwanted", "pending");
    const { id } = await world.delivery(repo, sha);
    assert.equal((await act(id, "cancel")).status, 202);
    const { description } = await world.status(repo, sha, "unwanted", "error");
    assert.equal(description, "cancelled by a person");
    assert.equal((await world.delivery(repo, sha)).state, "cancelled");
  });

  it("answers every action with 404 if its id is unknown", async () => {
    for (const what of ["retry", "cancel"] as const) assert.equal((await act("nosuchthing0", what)).status, 404);
  });

  /** Pushes and lets the check pass. @returns the sha */
  async function begin(repo: SampleRepo): Promise<string> {
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    return sha;
  }

  function act(id: string, what: "retry" | "cancel"): Promise<Response> {
    return world.deliverd.fetch(`/api/v1/deliveries/${id}/${what}`, { method: "POST" });
  }

  async function assertConflict(answer: Response): Promise<void> {
    assert.equal(answer.status, 409);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
  }
});
