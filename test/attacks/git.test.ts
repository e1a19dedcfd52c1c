import assert from "node:assert/strict";
import { once } from "node:events";
import { access, chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { inspect } from "node:util";
import { UserError } from "../../src/delivery/errors.ts";
import { type ContextOrder, checkBuildPaths, openContext } from "../../src/git/context.ts";
import { testRun } from "../support/fixtures/run.ts";
import { never, useGitHost } from "../support/hosts/git-host.ts";
import { until } from "../support/processes/process.ts";

const ORDER: ContextOrder = { contextDir: ".", dockerfile: "Dockerfile", maxBytes: 1e8, maxEntries: 10_000 };

describe("A hostile git repository", () => {
  const scene = useGitHost();
  let canary: string;
  let count = 0;

  beforeEach(async () => {
    count += 1;
    canary = join(scene.host.path, `canary-${count}`);
  });

  const unharmed = async () => assert.equal(await exists(canary), false, "the canary file appeared: a command was run");
  const drain = async (sha: string, order: Partial<ContextOrder> = {}) => {
    let text = "";
    for await (const chunk of await openContext(scene.mirror, sha, { ...ORDER, ...order }, testRun()))
      text += chunk.toString("latin1");
    return text;
  };

  it("cannot pass an option or a command to git through any parameter", async () => {
    const sha = await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
    await scene.mirror.sync(scene.repo.source, never);
    const corpus = [
      `--upload-pack=touch ${canary}`,
      `--upload-pack=touch ${canary};`,
      `-utouch ${canary}`,
      `-u touch ${canary}`,
      `--exec=touch ${canary}`,
      `--output=${canary}`,
      `-o${canary}`,
      `--remote=ext::sh -c touch% ${canary}`,
      `--add-file=/etc/passwd`,
      `ext::sh -c touch% ${canary}`,
      `fd::17/${canary}`,
      `file://${canary}`,
      `ssh://-oProxyCommand=touch%20${canary}/x`,
      `-oProxyCommand=touch ${canary}`,
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `; touch ${canary}`,
      `| touch ${canary}`,
      `x\ntouch ${canary}`,
      `:(attr:export-ignore)`,
      `--no-walk`,
      `--all`,
    ];
    for (const evil of corpus) {
      const tries: Promise<unknown>[] = [
        scene.mirror.has(evil),
        scene.mirror.commit(evil),
        scene.mirror.refsContaining(evil),
        scene.mirror.readFile(evil, "Dockerfile", 100),
        scene.mirror.readFile(sha, evil, 100),
        scene.mirror.entry(sha, evil),
        scene.mirror.archive(evil, ".", never, 10_000).then(read),
        scene.mirror.archive(sha, evil, never, 10_000).then(read),
        scene.mirror.tagsOn(evil),
        scene.mirror.tagsReachable(evil),
        scene.mirror.count(evil, sha),
        scene.mirror.count(null, evil),
        scene.mirror.commitsByRef([evil], new Set([sha])),
        scene.mirror.commitsByRef([`refs/heads/${evil}`], new Set([sha])),
        scene.mirror.history(evil, ["a"]),
        scene.mirror.history(sha, [evil]),
        scene.mirror.isAncestor(evil, sha),
        scene.mirror.isAncestor(sha, evil),
        scene.mirror.newCommits([evil], [sha]),
        scene.mirror.newCommits([], [evil]),
        scene.mirror.sync({ url: evil, authorization: null }, never),
        scene.mirror.sync({ url: `${scene.host.proxy.url}/${evil}`, authorization: null }, never),
        scene.mirror.sync({ url: scene.repo.source.url, authorization: evil }, never),
        scene.host.mirrors.open(evil).has(sha),
        checkBuildPaths(scene.mirror, sha, { contextDir: evil, dockerfile: evil }),
        drain(sha, { contextDir: evil }),
        drain(sha, { dockerfile: evil }),
      ];
      await Promise.allSettled(tries);
      await unharmed();
    }
    assert.equal(await scene.mirror.has(sha), true);
  }).timeout(180_000);

  it("cannot pass an option or a command through names of branches and files", async () => {
    const files = {
      Dockerfile: "FROM scratch\n",
      "--output=x": "1",
      "$(touch x)": "1",
      ":(glob)*": "literal",
      "-": "1",
    };
    const sha = await scene.repo.commit(files);
    for (const name of ["--upload-pack=touch", "-u", "$(id)", "`id`", ";id", "|id"])
      await scene.repo.git(["update-ref", `refs/heads/x/${name}`, sha]);
    await scene.repo.push();
    const { commits } = await scene.mirror.sync(scene.repo.source, never);
    assert.equal(commits.size, 7);
    const places = await scene.mirror.commitsByRef([...commits.keys()], new Set([sha]));
    for (const ref of commits.keys()) assert.deepEqual(places.get(ref), [sha]);
    assert.equal(await scene.mirror.readFile(sha, ":(glob)*", 100), "literal");
    for (const name of Object.keys(files)) assert.ok((await drain(sha)).includes(name));
  });

  it("cannot run hooks, even if somebody put them into the mirror", async () => {
    await scene.repo.commit({ a: "1" });
    await scene.mirror.sync(scene.repo.source, never);
    await mkdir(join(scene.mirror.path, "hooks"), { recursive: true });
    for (const hook of [
      "reference-transaction",
      "post-checkout",
      "pre-auto-gc",
      "post-rewrite",
      "update",
      "post-update",
    ]) {
      const path = join(scene.mirror.path, "hooks", hook);
      await writeFile(path, `#!/bin/sh\ntouch ${canary}\n`);
      await chmod(path, 0o755);
    }
    await scene.repo.commit({ a: "2" });
    assert.equal((await scene.mirror.sync(scene.repo.source, never)).moved, true);
    await unharmed();
  });

  it("cannot change git's behaviour through the environment, the home or the netrc of deliverd's user", async () => {
    const home = join(scene.host.path, `home-${count}`);
    await mkdir(home);
    const host = new URL(scene.repo.source.url).hostname;
    await writeFile(join(home, ".netrc"), `machine ${host} login ada password netrc-s3cret\n`);
    await writeFile(
      join(home, ".gitconfig"),
      `[core]\n\tsshCommand = touch ${canary}\n[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n`,
    );
    const planted = {
      HOME: home,
      XDG_CONFIG_HOME: home,
      GIT_TRACE: canary,
      GIT_EXEC_PATH: home,
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "core.fsmonitor",
      GIT_CONFIG_VALUE_0: `touch ${canary}`,
      GIT_ASKPASS: "/bin/false",
      GIT_DIR: "/nowhere",
    };
    const before = Object.fromEntries(Object.keys(planted).map((name) => [name, process.env[name]]));
    const sha = await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
    const seen = scene.host.proxy.passed.length;
    try {
      Object.assign(process.env, planted);
      scene.host.proxy.fault = ({ headers }) =>
        headers.authorization === undefined
          ? { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } }
          : undefined;
      await assert.rejects(scene.mirror.sync(scene.repo.source, never), { code: "git-access-denied" });
      scene.host.proxy.fault = () => undefined;
      await scene.mirror.sync(scene.repo.source, never);
      await drain(sha);
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    await unharmed();
    for (const { headers } of scene.host.proxy.passed.slice(seen)) assert.equal(headers.authorization, undefined);
  });

  it("cannot make git fetch submodules or run filters, diff drivers or merge drivers of the tree", async () => {
    await scene.repo.commit({
      Dockerfile: "FROM scratch\n",
      ".gitmodules": `[submodule "x"]\n\tpath = sub\n\turl = ext::sh -c touch% ${canary}\n\tupdate = !touch ${canary}\n`,
      ".gitattributes": "* filter=evil diff=evil merge=evil\n",
      ".gitconfig": `[filter "evil"]\n\tsmudge = touch ${canary}\n\tprocess = touch ${canary}\n`,
      ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n",
      data: "plain\n",
    });
    await scene.repo.git(["update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},sub`]);
    await scene.repo.git(["commit", "--quiet", "-m", "Submodule"]);
    await scene.repo.push();
    const sha = await scene.repo.git(["rev-parse", "HEAD"]);
    await scene.mirror.sync(scene.repo.source, never);
    assert.match(await drain(sha), /plain\n/);
    assert.equal((await scene.mirror.history(sha, ["data"])).get(sha)?.parents[0]?.differs, false);
    await unharmed();
  });

  it("cannot read the machine's files by a symbolic link", async () => {
    const sha = await scene.repo.commit({
      Dockerfile: { link: "/etc/passwd" },
      up: { link: "../../../etc" },
      ".dockerignore": { link: "/etc/passwd" },
      real: "x",
    });
    await scene.mirror.sync(scene.repo.source, never);
    const named = (path: string) => (error: unknown) =>
      error instanceof UserError && error.message.includes(path) && !inspect(error).includes("root:");
    await assert.rejects(checkBuildPaths(scene.mirror, sha, ORDER), named("Dockerfile"));
    await assert.rejects(drain(sha), named("Dockerfile"));
    await assert.rejects(drain(sha, { dockerfile: "up/passwd" }), named("up"));
    await assert.rejects(drain(sha, { dockerfile: "real" }), named(".dockerignore"));
    await assert.rejects(scene.mirror.readFile(sha, "Dockerfile", 10_000), named("Dockerfile"));
    assert.equal(await scene.mirror.readFile(sha, "up/passwd", 10_000), null);
  });

  describe("that tries to steal credentials", () => {
    const token = "s3cr3t-t0ken-0123456789";
    const authorization = `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
    const secrets = [token, authorization.slice(6), Buffer.from(token).toString("base64")];

    it("finds none in the process list during a slow clone that uses them", async () => {
      await scene.repo.commit({ a: "1" });
      let posts = 0;
      scene.host.proxy.fault = ({ method }) => {
        posts += method === "POST" ? 1 : 0;
        return posts === 3 ? { delay: 1_500 } : undefined;
      };
      const stop = new AbortController();
      const sync = scene.mirror.sync({ ...scene.repo.source, authorization }, stop.signal);
      await until("git fetches", () => posts === 3);
      const lines = await commandLines();
      assert.ok(
        lines.some((line) => line.includes(scene.repo.source.url)),
        "the fetch is seen at all",
      );
      for (const secret of secrets)
        assert.deepEqual(
          lines.filter((line) => line.includes(secret)),
          [],
        );
      await sync;
      assert.equal(scene.host.proxy.passed.at(-1)?.headers.authorization, authorization);
      const kept = await grep(scene.mirror.path, secrets);
      assert.deepEqual(kept, [], "nothing of it stays in the mirror");
    });

    it("finds none in an error, even if the host echoes them", async () => {
      for (const status of [400, 401, 403, 404, 429, 500]) {
        scene.host.proxy.fault = ({ headers }) => ({
          status,
          headers: { "content-type": "text/plain" },
          body: `You sent ${headers.authorization} ${token}\n`,
        });
        await assert.rejects(scene.mirror.sync({ ...scene.repo.source, authorization }, never), (error) => {
          const all = inspect(error, { depth: 10, showHidden: true });
          for (const secret of secrets) assert.ok(!all.includes(secret), all);
          return true;
        });
      }
    });

    it("cannot draw them to another host by a redirect", async () => {
      const sink = createServer((_, response) => response.end());
      let visits = 0;
      sink.on("request", () => {
        visits += 1;
      });
      sink.listen(0, "127.0.0.1");
      await once(sink, "listening");
      const address = sink.address();
      const port = typeof address === "object" ? address?.port : 0;
      try {
        for (const status of [301, 302, 307, 308]) {
          scene.host.proxy.fault = ({ url }) => ({ status, headers: { location: `http://127.0.0.1:${port}${url}` } });
          await assert.rejects(scene.mirror.sync({ ...scene.repo.source, authorization }, never), {
            code: "git-redirected",
          });
        }
        assert.equal(visits, 0);
      } finally {
        sink.close();
      }
    });

    it("cannot smuggle in a header by a line break in them", async () => {
      await scene.repo.commit({ a: "1" });
      await assert.rejects(
        scene.mirror.sync({ ...scene.repo.source, authorization: `${authorization}\r\nX-Evil: 1` }, never),
        (error: Error) => {
          assert.ok(!inspect(error).includes(token));
          return "code" in error && error.code === "bad-credential";
        },
      );
      assert.ok(scene.host.proxy.passed.every(({ headers }) => headers["x-evil"] === undefined));
    });
  });
});

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function read(stream: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of stream);
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")));
}

async function grep(root: string, words: string[]): Promise<string[]> {
  const names = await readdir(root, { recursive: true });
  const hits = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(root, name), "latin1").catch(() => "");
      return words.some((word) => text.includes(word)) ? name : null;
    }),
  );
  return hits.filter((name) => name !== null);
}
