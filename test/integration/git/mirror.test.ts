import assert from "node:assert/strict";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Refused, TransientError, type UserError } from "../../../src/delivery/errors.ts";
import { never, remakeAsSha256, useGitHost } from "../../support/hosts/git-host.ts";
import { freePort, until } from "../../support/processes/process.ts";

describe("The sync of a git mirror", () => {
  const scene = useGitHost();

  const sync = () => scene.mirror.sync(scene.repo.source, never);

  describe("with a healthy host", () => {
    it("fetches branches, tags, annotated tags as their commit, and the default branch", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      await scene.repo.git(["branch", "release/1.x"]);
      await scene.repo.git(["tag", "light"]);
      await scene.repo.git(["tag", "-a", "v1.0.0", "-m", "One"]);
      await scene.repo.git(["tag", "-a", "nested", "-m", "A tag of a tag", "v1.0.0"]);
      await scene.repo.git(["tag", "tree", "HEAD^{tree}"]);
      await scene.repo.push();
      const refs = await sync();
      assert.deepEqual(refs.commits, await scene.mirror.refs());
      assert.deepEqual(
        [...refs.commits].sort(),
        ["refs/heads/main", "refs/heads/release/1.x", "refs/tags/light", "refs/tags/nested", "refs/tags/v1.0.0"].map(
          (ref) => [ref, sha],
        ),
      );
      assert.equal(refs.defaultBranch, "main");
    });

    it("reports null as the default branch of an empty repo", async () => {
      assert.deepEqual(await sync(), { commits: new Map(), objects: new Map(), defaultBranch: null, moved: false });
    });

    it("follows the host when its default branch changes", async () => {
      await scene.repo.commit({ a: "1" });
      await sync();
      await scene.repo.git(["branch", "trunk"]);
      await scene.repo.push();
      await scene.repo.git(["--git-dir", scene.repo.bare, "symbolic-ref", "HEAD", "refs/heads/trunk"]);
      assert.equal((await sync()).defaultBranch, "trunk");
    });

    it("removes refs that the host removed, also if a branch becomes a folder of branches", async () => {
      await scene.repo.commit({ a: "1" });
      await scene.repo.git(["branch", "topic"]);
      await scene.repo.push();
      await sync();
      await scene.repo.git(["branch", "-m", "topic", "topic/one"]);
      await scene.repo.push();
      assert.deepEqual([...(await sync()).commits.keys()], ["refs/heads/main", "refs/heads/topic/one"]);
    });

    it("never fetches pull requests", async () => {
      await scene.repo.commit({ a: "1" });
      await scene.repo.git(["checkout", "--quiet", "--orphan", "fork"]);
      await scene.repo.git(["commit", "--quiet", "-m", "From a fork"]);
      const fork = await scene.repo.git(["rev-parse", "HEAD"]);
      await scene.repo.git(["push", "--quiet", scene.repo.bare, "HEAD:refs/pull/1/head"]);
      await sync();
      assert.equal(await scene.mirror.has(fork), false);
      assert.deepEqual(await scene.mirror.refsContaining(fork), []);
    });

    it("only lists the refs if nothing moved", async () => {
      await scene.repo.commit({ a: "1" });
      assert.equal((await sync()).moved, true);
      const fetches = scene.host.server.fetches();
      assert.equal((await sync()).moved, false);
      assert.equal(scene.host.server.fetches(), fetches);
    });

    it("fetches a reported commit at once, and requests nothing more if it is already there", async () => {
      await scene.repo.commit({ a: "1" });
      const told = async (sha: string) => {
        const before = scene.host.server.requests.length;
        const refs = await scene.mirror.sync(scene.repo.source, never, sha);
        const kinds = scene.host.server.requests.slice(before).map((request) => request.kind);
        return { refs, kinds };
      };
      await sync();
      await scene.repo.git(["tag", "gone-soon"]);
      await scene.repo.push();
      const sha = await scene.repo.commit({ a: "2" });
      await scene.repo.git(["tag", "--delete", "gone-soon"]);
      const first = await told(sha);
      assert.deepEqual(first.kinds, ["refs", "refs", "fetch"]);
      assert.equal(first.refs.commits.get("refs/heads/main"), sha);
      assert.equal(first.refs.defaultBranch, "main");
      const second = await told(sha);
      assert.deepEqual(second.kinds, ["refs"]);
      assert.deepEqual(second.refs, { ...first.refs, moved: false });
      const unknown = await told("0".repeat(40));
      assert.deepEqual(unknown.refs.commits, first.refs.commits);
    });

    it("skips refs that only git accepts, and does not fetch again because of them", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      await scene.repo.git(["update-ref", "refs/heads/\u009b31m", sha]);
      await scene.repo.git(["push", "--quiet", scene.repo.bare, "refs/heads/*:refs/heads/*"]);
      assert.deepEqual([...(await sync()).commits.keys()], ["refs/heads/main"]);
      assert.deepEqual(await scene.mirror.refsContaining(sha), ["refs/heads/main"]);
      assert.equal((await sync()).moved, false);
    });

    it("serves simultaneous calls with one fetch", async () => {
      await scene.repo.commit({ a: "1" });
      const fetches = scene.host.server.fetches();
      await Promise.all(Array.from({ length: 20 }, sync));
      assert.equal(scene.host.server.fetches(), fetches + 1);
    });

    it("shows each call what was pushed before it, even during an older fetch", async () => {
      await scene.repo.commit({ a: "1" });
      let posts = 0;
      // Listing, listing again, and then the objects: by then it has read the refs.
      scene.host.proxy.fault = ({ method }) => {
        if (method === "POST") posts += 1;
        return method === "POST" && posts === 3 ? { delay: 1_000 } : undefined;
      };
      const older = sync();
      await until("the older sync asks for objects", () => posts === 3);
      const second = await scene.repo.commit({ a: "2" });
      const younger = await sync();
      assert.notEqual((await older).commits.get("refs/heads/main"), second);
      assert.equal(younger.commits.get("refs/heads/main"), second);
    });

    it("reads a SHA-256 repository", async () => {
      await remakeAsSha256(scene.repo);
      const sha = await scene.repo.commit({ a: "1" });
      assert.equal(sha.length, 64);
      assert.equal((await sync()).commits.get("refs/heads/main"), sha);
      assert.equal(await scene.mirror.readFile(sha, "a", 10), "1");
    });
  });

  describe("after a process died", () => {
    it("removes the locks and temporary files that it left, and continues", async () => {
      await scene.repo.commit({ a: "1" });
      await sync();
      const left = ["packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x", "gc.pid"];
      for (const name of left) await writeFile(join(scene.mirror.path, name), "");
      const draft = `${scene.mirror.path}.new-abc`;
      await writeFile(draft, "");
      const sha = await scene.repo.commit({ a: "2" });
      scene.reopenMirror();
      assert.equal((await sync()).commits.get("refs/heads/main"), sha);
      const names = await readdir(scene.mirror.path, { recursive: true });
      assert.deepEqual(
        left.filter((name) => names.includes(name)),
        [],
      );
      assert.equal(
        (await readdir(join(scene.mirror.path, ".."))).some((name) => draft.endsWith(name)),
        false,
      );
    });

    it("recreates a mirror whose objects are damaged", async () => {
      await scene.repo.commit({ a: "1" });
      await sync();
      const folder = join(scene.mirror.path, "objects");
      for (const file of await readdir(folder, { recursive: true })) {
        if (/^..\/[0-9a-f]{38}$/.test(file)) await truncate(join(folder, file), 0);
      }
      const sha = await scene.repo.commit({ a: "2" });
      assert.equal((await sync()).commits.get("refs/heads/main"), sha);
      assert.equal(await scene.mirror.readFile(sha, "a", 10), "2");
    });

    it("recreates a mirror that somebody deleted", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      await sync();
      await rm(scene.mirror.path, { recursive: true });
      assert.equal(await scene.mirror.has(sha), false);
      await sync();
      assert.equal(await scene.mirror.has(sha), true);
    });
  });

  describe("when the host fails", () => {
    const fails = (kind: new (...args: never[]) => Error, code: string, text: RegExp) => (error: unknown) => {
      assert.ok(error instanceof kind, String(error));
      assert.equal((error as UserError).code, code);
      assert.match(error.message, text);
      return true;
    };

    it("names a host that does not resolve, in an error that is retried", async () => {
      const source = { url: "http://git.nowhere.invalid/acme/api.git", authorization: null };
      await assert.rejects(
        scene.mirror.sync(source, never),
        fails(TransientError, "git-host-unreachable", /git\.nowhere\.invalid/),
      );
    });

    it("names a host that does not listen, in an error that is retried", async () => {
      const port = await freePort();
      const source = { url: `http://127.0.0.1:${port}/acme/api.git`, authorization: null };
      await assert.rejects(
        scene.mirror.sync(source, never),
        fails(TransientError, "git-host-unreachable", new RegExp(`127.0.0.1:${port}`)),
      );
    });

    for (const [status, kind, code] of [
      [500, TransientError, "git-host-error"],
      [503, TransientError, "git-host-error"],
      [429, TransientError, "git-host-limited"],
      [401, Refused, "git-access-denied"],
      [403, Refused, "git-access-denied"],
      [404, Refused, "git-access-denied"],
    ] as const) {
      it(`reports ${status} as ${code}`, async () => {
        scene.host.proxy.fault = () => ({ status });
        await assert.rejects(sync(), fails(kind, code, /127\.0\.0\.1.*acme\/r/));
      });
    }

    it("reports credentials that the host rejects, and names the token", async () => {
      scene.host.proxy.fault = () => ({ status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
      const source = { ...scene.repo.source, authorization: "Bearer wrong" };
      await assert.rejects(scene.mirror.sync(source, never), fails(Refused, "git-access-denied", /token/));
    });

    it("does not follow a redirect", async () => {
      scene.host.proxy.fault = ({ url }) => ({
        status: 301,
        headers: { location: `${scene.host.server.cloneUrl}${url}` },
      });
      await assert.rejects(sync(), fails(Refused, "git-redirected", /renamed/));
    });

    it("succeeds when it is retried after a connection that broke in the middle", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      scene.host.proxy.fault = ({ method }) => (method === "POST" ? { loseAnswer: true } : undefined);
      await assert.rejects(sync(), TransientError);
      scene.host.proxy.fault = () => undefined;
      assert.equal((await sync()).commits.get("refs/heads/main"), sha);
    });

    it("stops at its time limit, and leaves the mirror as it was", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      scene.host.proxy.fault = () => ({ hang: true });
      scene.reopenMirror({ fetchLimit: 300 });
      const before = scene.host.proxy.passed.length;
      await assert.rejects(sync(), fails(TransientError, "git-timeout", /0\.3 s/));
      // Our own request and git's have one limit, not each its own.
      assert.equal(scene.host.proxy.passed.length, before + 1);
      scene.host.proxy.fault = () => undefined;
      scene.reopenMirror();
      assert.equal((await sync()).commits.get("refs/heads/main"), sha);
    });

    it("ends git and its helpers when the last caller gives up", async () => {
      // Our own request fails at once, so that git asks.
      scene.host.proxy.fault = ({ headers }) =>
        headers["user-agent"] === "git/deliverd" ? { status: 500 } : { hang: true };
      const first = new AbortController();
      const second = new AbortController();
      const one = assert.rejects(scene.mirror.sync(scene.repo.source, first.signal), /enough/);
      const two = assert.rejects(scene.mirror.sync(scene.repo.source, second.signal), /me too/);
      const running = await until("git asks", async () => {
        const found = await processesWith(scene.repo.source.url);
        return found.length > 1 && found;
      });
      first.abort(new Error("enough"));
      await one;
      const left = await processesWith(scene.repo.source.url);
      // A helper may have begun since.
      assert.deepEqual(
        running.filter((pid) => !left.includes(pid)),
        [],
      );
      second.abort(new Error("me too"));
      await two;
      await until("git is gone", async () => (await processesWith(scene.repo.source.url)).length === 0);
    });
  });
});

async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")] as const),
  );
  return lines
    .filter(([, line]) => line.startsWith("git") || line.includes("/git"))
    .filter(([, line]) => line.includes(text))
    .map(([pid]) => pid);
}
