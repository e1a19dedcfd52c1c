import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, readlink } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { withTimeout } from "../../../src/async/with-timeout.ts";
import { sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { git } from "../../support/hosts/git.ts";
import { startGitServer } from "../../support/hosts/git-server.ts";
import { commandLines } from "../../support/processes/command-lines.ts";
import { tempDir, until } from "../../support/processes/process.ts";
import { endScene, type Scene, startScene } from "./support.ts";

describe("The git server of the tests", () => {
  let scene: Scene;
  let work: Awaited<ReturnType<typeof tempDir>>;
  beforeEach(async () => {
    scene = await startScene();
    work = await tempDir();
  });
  afterEach(async () => {
    await endScene(scene);
    await work.remove();
  });

  const urlOf = (repo: string) => `${scene.github.cloneUrl}/${repo}.git`;
  const basic = (username: string, password: string) =>
    `http.extraHeader=Authorization: Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const asDaemon = () => basic("x-access-token", scene.github.token);
  const authorization = () => asDaemon().slice("http.extraHeader=Authorization: ".length);
  const gitWith = (credentials: string | null, ...args: string[]) =>
    git(work.path, [...(credentials === null ? [] : ["-c", credentials]), ...args]);
  const refusals = async (credentials: string | null, repo: string) => {
    await assert.rejects(gitWith(credentials, "ls-remote", urlOf(repo)));
    return scene.github.git.requests.at(-1)?.status;
  };

  it("serves a clone of a private repo to x-access-token with the right token", async () => {
    await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/api"), "clone");

    assert.equal(await git(join(work.path, "clone"), ["rev-parse", "HEAD"]), scene.sha);
    assert.equal(await readFile(join(work.path, "clone/a.txt"), "utf8"), "a\n");
  });

  it("refuses a private repo without credentials, with wrong ones, and with those for another repo", async () => {
    await scene.github.createRepo({ owner: "other", name: "secret", token: "ghs_other" });

    assert.equal(await refusals(null, "acme/api"), 401);
    assert.equal(await refusals(basic("x-access-token", "wrong"), "acme/api"), 401);
    assert.equal(await refusals(basic(scene.github.token, ""), "acme/api"), 401);
    assert.equal(await refusals(asDaemon(), "other/secret"), 404);
    assert.equal(await refusals(asDaemon(), "acme/none"), 404);
    await gitWith(basic("x-access-token", "ghs_other"), "ls-remote", urlOf("other/secret"));
  });

  it("serves a public repo without credentials, but not with wrong ones", async () => {
    await scene.github.createRepo({ owner: "acme", name: "open", private: false });

    await gitWith(null, "ls-remote", urlOf("acme/open"));
    assert.equal(await refusals(basic("x-access-token", "wrong"), "acme/open"), 401);
  });

  it("serves any commit by its id, even if no branch contains it any more", async () => {
    await scene.repo.commit({ "b.txt": "b\n" });
    await scene.repo.push();
    const gone = await scene.repo.head();
    await scene.repo.reset(scene.sha);
    await scene.repo.forcePush();
    await git(work.path, ["init", "--quiet", "--bare", "."]);
    const fetch = (protocol: number) =>
      gitWith(
        asDaemon(),
        ...["-c", `protocol.version=${protocol}`, "fetch", "--quiet", "--depth=1", urlOf("acme/api"), gone],
      );

    for (const protocol of [0, 2]) {
      await fetch(protocol);
      assert.equal(await git(work.path, ["rev-parse", "FETCH_HEAD"]), gone);
    }

    await scene.repo.expire();
    await assert.rejects(fetch(2), /not our ref|no such/i);
  });

  it("shows a stranger's fork as GitHub does: by id and as a pull request, in no branch", async () => {
    const sha = await scene.repo.plantForkCommit({ "evil.txt": "evil\n" });

    const refs = await gitWith(asDaemon(), "ls-remote", urlOf("acme/api"));
    assert.match(refs, new RegExp(`^${sha}\trefs/pull/1/head$`, "m"));
    assert.doesNotMatch(refs, new RegExp(`^${sha}\trefs/heads/`, "m"));
    assert.equal(await scene.repo.head(), scene.sha);
  });

  it("streams large answers", async () => {
    const content = randomBytes(8_000_000).toString("base64");
    await scene.repo.commit({ "large.txt": content });
    await scene.repo.push();

    await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/api"), "clone");
    assert.equal(await readFile(join(work.path, "clone/large.txt"), "utf8"), content);
  });

  it("ends all its processes when it closes, even if clients left or stopped reading", async () => {
    await scene.repo.commit({ "large.txt": randomBytes(8_000_000).toString("base64") });
    await scene.repo.push();
    const sha = await scene.repo.head();
    const { root } = scene.github.git;
    const own = await startGitServer(root);
    const ask = async () => {
      const call = request(`${own.cloneUrl}/acme/api.git/git-upload-pack`, {
        method: "POST",
        headers: { "content-type": "application/x-git-upload-pack-request" },
      });
      call.on("error", () => {});
      call.on("response", (response) => response.on("error", () => {}));
      call.end(`0032want ${sha}\n00000009done\n`);
      await once(call, "socket");
      return call;
    };
    const backends = async () => {
      const pids = [...(await commandLines()).keys()];
      const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
      return folders.filter((folder) => folder.startsWith(root));
    };
    const unread = await ask();
    await once(unread, "response");
    assert.notDeepEqual(await backends(), []);
    await Promise.all(
      Array.from({ length: 60 }, async (_none, index) => {
        const call = await ask();
        await delay(index * 10);
        call.destroy();
      }),
    );

    await withTimeout(5_000, own.close(), "the git server did not end");
    await until("its processes are gone", async () => (await backends()).length === 0, 5_000);
  });

  for (const packed of [false, true]) {
    it(`accepts a large request in chunks, ${packed ? "compressed" : "plain"}`, async () => {
      // What git itself sends where a request outgrows http.postBuffer: gitprotocol-v2, ls-refs.
      const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, "0")}${text}`;
      const prefixes = Array.from({ length: 20_000 }, (_none, at) => line(`ref-prefix refs/heads/none-${at}\n`));
      const body = Buffer.from(
        `${line("command=ls-refs\n")}0001${prefixes.join("")}${line("ref-prefix refs/heads/ma\n")}0000`,
      );
      const call = request(`${urlOf("acme/api")}/git-upload-pack`, {
        method: "POST",
        headers: {
          ...{ authorization: authorization(), "content-type": "application/x-git-upload-pack-request" },
          ...{ "git-protocol": "version=2", ...(packed ? { "content-encoding": "gzip" } : {}) },
        },
      });
      const answer = once(call, "response");
      await pipeline(Readable.from([body]), packed ? createGzip() : new PassThrough(), call);
      const [response] = await answer;

      assert.equal(response.statusCode, 200);
      assert.equal(await text(response), `${line(`${scene.sha} refs/heads/main\n`)}0000`);
      assert.equal(scene.github.git.fetches(), 0);
    });
  }

  it("serves the sample repo with an executable that prints a greeting", async () => {
    const sample = await sampleRepo(scene.github, { owner: "acme", name: "greeter" });
    try {
      await sample.push();
      await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/greeter"), "clone");

      const { stdout } = await promisify(execFile)("./busybox", ["cat", "greeting.txt"], {
        cwd: join(work.path, "clone"),
      });
      assert.equal(stdout, "Hello from deliverd\n");
    } finally {
      await sample.remove();
    }
  });

  it("also speaks the older protocol versions", async () => {
    for (const version of [0, 1, 2]) {
      await gitWith(
        asDaemon(),
        "-c",
        `protocol.version=${version}`,
        "clone",
        "--quiet",
        urlOf("acme/api"),
        `v${version}`,
      );
    }
    assert.equal(scene.github.git.fetches(), 3);
  });

  it("counts fetches, but not listings of refs", async () => {
    await gitWith(asDaemon(), "ls-remote", urlOf("acme/api"));
    assert.equal(scene.github.git.fetches(), 0);
    await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/api"), "clone");
    assert.equal(scene.github.git.fetches(), 1);
    await git(join(work.path, "clone"), ["-c", asDaemon(), "fetch", "--quiet"]);
    assert.equal(scene.github.git.fetches(scene.repo), 1);
    assert.equal(scene.github.git.fetches({ owner: "acme", name: "other" }), 0);
  });

  it("redirects a repo's old name to its new one", async () => {
    await scene.github.renameRepo(scene.repo, { owner: "umbrella", name: "service" });

    await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/api"), "clone");
    assert.equal(scene.github.git.fetches({ owner: "umbrella", name: "service" }), 1);
  });

  it("refuses a push", async () => {
    await gitWith(asDaemon(), "clone", "--quiet", urlOf("acme/api"), "clone");
    const push = ["-c", asDaemon(), "push", "--quiet", "origin", "HEAD:refs/heads/stolen"];

    await assert.rejects(git(join(work.path, "clone"), push), /403/);
    assert.doesNotMatch(await gitWith(asDaemon(), "ls-remote", urlOf("acme/api")), /stolen/);
  });

  it("does not speak the dumb protocol, like GitHub", async () => {
    const url = `${urlOf("acme/api")}/info/refs`;
    const response = await fetch(url, { headers: { authorization: authorization() } });

    assert.equal(response.status, 403);
    assert.doesNotMatch(await response.text(), /refs\//);
  });

  for (const path of [
    "/acme/api.git/config",
    "/acme/api.git/objects/info/packs",
    "/acme/api.git/HEAD",
    "/acme/../acme/api.git/../../../etc/passwd",
    "/%2e%2e/api.git/info/refs?service=git-upload-pack",
    "/acme%2fapi.git/info/refs?service=git-upload-pack",
    "/acme/..%2fapi.git/info/refs?service=git-upload-pack",
  ]) {
    it(`serves nothing at ${path}`, async () => {
      const response = await fetch(`${scene.github.cloneUrl}${path}`, { headers: { authorization: authorization() } });

      assert.equal(response.status, 404);
      await response.text();
    });
  }
});
