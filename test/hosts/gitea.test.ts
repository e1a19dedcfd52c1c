import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { greetingFiles } from "../support/fixtures/sample-repo.ts";
import { writeFiles } from "../support/fixtures/work-tree.ts";
import { git } from "../support/hosts/git.ts";
import { openRealGitea, type RealGitea } from "../support/hosts/gitea/real.ts";
import { until } from "../support/processes/process.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

interface Status {
  id: number;
  status: string;
  context: string;
  description: string;
  target_url: string;
}

const ORGANISATION = `deliverd-${randomBytes(4).toString("hex")}`;
/** ms. Where no webhook tells of CI, deliverd looks every 30 s at first. */
const PATIENCE = 3 * 60_000;

const AUTHOR = Object.fromEntries(
  ["AUTHOR", "COMMITTER"].flatMap((who) => [
    [`GIT_${who}_NAME`, "Sam Sample"],
    [`GIT_${who}_EMAIL`, "sam@example.com"],
  ]),
);

// `npm run test:hosts` runs it: it needs a Gitea that is no stand-in.
describe("A real Gitea or Forgejo", function () {
  this.timeout(10 * 60_000);
  let gitea: RealGitea;
  let world: World;
  let tree: string;
  let name = "api";

  before(async () => {
    gitea = await openRealGitea(process.env.DELIVERD_TEST_GITEA ?? "");
    const hosts = { forge: { type: "gitea", url: gitea.url, webhookSecret: "a webhook secret", token: gitea.token } };
    world = await startWorld({ config: { hosts, repos: [`forge/${ORGANISATION}/*`] } });
    await gitea.call("POST", "/orgs", { username: ORGANISATION });
    await gitea.call("POST", `/orgs/${ORGANISATION}/repos`, { name, private: true, default_branch: "main" });
    tree = await mkdtemp(join(tmpdir(), "dd-real-"));
    await inTree("init", "--quiet", "--template=", "--initial-branch=main");
    await writeFiles(tree, await greetingFiles());
    await writeFiles(tree, {
      ".deliverd.yml": pipeline([image("api")], { ci: {}, on: { branches: ["main"], tags: ["v*"] } }),
    });
    console.log(`    version ${gitea.version} at ${gitea.url}`);
  });
  after(async () => {
    if (tree !== undefined) await rm(tree, { recursive: true, force: true });
    await world?.stop();
    if (gitea !== undefined) {
      await gitea.call("DELETE", `/repos/${ORGANISATION}/${name}`).catch(() => {});
      await gitea.call("DELETE", `/orgs/${ORGANISATION}`).catch(() => {});
      await gitea.stop();
    }
  });

  const inTree = (...args: string[]) => git(tree, args, AUTHOR);
  const push = (...refs: string[]) => {
    const login = Buffer.from(`ada:${gitea.token}`).toString("base64");
    const remote = `${gitea.url}/${ORGANISATION}/${name}.git`;
    return inTree("-c", `http.extraHeader=Authorization: Basic ${login}`, "push", "--quiet", remote, ...refs);
  };
  const commit = async (greeting: string) => {
    await writeFiles(tree, { "greeting.txt": greeting });
    await inTree("add", "--all");
    await inTree("commit", "--quiet", "-m", "Change the greeting");
    const sha = await inTree("rev-parse", "HEAD");
    await push("main");
    return sha;
  };
  const setStatus = (sha: string, state: string, context = "ci / test (push)") =>
    gitea.call("POST", `/repos/${ORGANISATION}/${name}/statuses/${sha}`, { state, context });
  const reports = async (sha: string) => {
    // The other route would take a branch that is called like the commit for it.
    const route = `/repos/${ORGANISATION}/${name}/statuses/${sha}?limit=50&sort=highestindex`;
    const rows: Status[] = [];
    for (let page = 1; ; page++) {
      const more = await gitea.call<Status[]>("GET", `${route}&page=${page}`);
      rows.push(...more);
      if (more.length === 0) return rows.filter(({ context }) => context === "deliverd/api");
    }
  };
  const reported = (sha: string, state: string) =>
    until(
      `deliverd/api is ${state}`,
      async () => {
        const last = (await reports(sha)).at(-1);
        return last?.status === state ? last : null;
      },
      PATIENCE,
    ).catch(async (error: unknown) => {
      const rows = (await reports(sha)).map(({ status, description }) => `${status}: ${description}`);
      throw new Error(`${String(error)}\nstatuses: ${rows.join("\n  ")}\n${world.deliverd.output().slice(-6_000)}`);
    });
  const query = (sha: string) => new URLSearchParams({ repo: `forge/${ORGANISATION}/${name}`, sha }).toString();
  const delivery = async (sha: string) => {
    const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(sha)}`);
    return items[0] ?? null;
  };
  const releasesOf = async (sha: string) =>
    (await world.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?${query(sha)}`)).items;
  const cli = (...args: string[]) =>
    new Promise<{ code: number; text: string }>((resolve) => {
      const command = [BIN, ...args, "--config", world.deliverd.configFile];
      execFile(process.execPath, command, { env: { PATH: process.env.PATH } }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr }),
      );
    });

  it("takes a webhook by `hooks add`, and `hooks check` and `doctor` find nothing wrong", async () => {
    const repo = `forge/${ORGANISATION}/api`;
    const added = await cli("hooks", "add", repo);
    assert.equal(added.code, 0, added.text);
    assert.match(added.text, /^added /);
    const checked = await cli("hooks", "check", repo);
    assert.equal(checked.code, 0, checked.text);
    const renewed = await cli("hooks", "add", repo);
    assert.match(renewed.text, /^renewed /);
    const doctor = await cli("doctor");
    assert.match(doctor.text, /forge/);
    assert.doesNotMatch(doctor.text, /fail.*forge/);
    assert.ok(!doctor.text.includes(gitea.token));
  });

  it("has a commit delivered from push to release: red is reported and read back, a retry begins again, green releases it", async () => {
    const sha = await commit("Hello\n");
    await until("the push is known", () => delivery(sha));
    await setStatus(sha, "failure");
    assert.match((await reported(sha, "failure")).description, /check ci \/ test \(push\) failed/);
    const { id } = (await delivery(sha)) ?? assert.fail();
    await world.deliverd.api(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    await reported(sha, "error");
    await world.deliverd.api(`/api/v1/deliveries/${id}/retry`, { method: "POST" });
    await setStatus(sha, "success");
    const done = await reported(sha, "success");
    assert.equal(done.target_url, `${world.deliverd.url}/deliveries/${id}`);
    const [release] = await releasesOf(sha);
    assert.equal(await world.digest("acme/api", `sha-${sha.slice(0, 7)}`), release?.digest);
  });

  it("gives every status of a commit that has more than a page, and the newest row of each context counts", async () => {
    await gitea.call("POST", `/repos/${ORGANISATION}/${name}/branch_protections`, {
      ...{ rule_name: "main", enable_push: true, enable_status_check: true },
      status_check_contexts: ["ci / {test,check *} (push)", "deliverd/api"],
    });
    const sha = await commit("Hello, page\n");
    await until("the push is known", () => delivery(sha));
    await setStatus(sha, "failure");
    for (let i = 0; i < 60; i++) await setStatus(sha, "success", `ci / check ${i} (push)`);
    await reported(sha, "failure");
    await setStatus(sha, "success");
    await reported(sha, "success");
    const rows = (await reports(sha)).map(({ status, description }) => `${status} ${description}`);
    assert.equal(new Set(rows).size, rows.length, `a report is there twice:\n${rows.join("\n")}`);
  });

  it("does not lend a commit the statuses of another one by a branch that is called like it", async () => {
    const green = await inTree("rev-parse", "HEAD");
    const sha = await commit("Hello, stranger\n");
    await push(`${green}:refs/heads/${sha}`);
    await until("the push is known", () => delivery(sha));
    await setStatus(sha, "failure");
    await reported(sha, "failure");
    await push(`:refs/heads/${sha}`);
    await setStatus(sha, "success");
    await reported(sha, "success");
  });

  it("tells of an annotated tag, which becomes a version", async () => {
    const sha = await inTree("rev-parse", "HEAD");
    await inTree("tag", "--annotate", "--message", "Release 1.2.3", "v1.2.3");
    await push("v1.2.3");
    await until("the registry has 1.2.3", () => world.digest("acme/api", "1.2.3"));
    assert.equal(await world.digest("acme/api", "1.2.3"), (await releasesOf(sha))[0]?.digest);
  });

  it("is followed when the repo gets another name, which no webhook tells", async () => {
    await gitea.call("PATCH", `/repos/${ORGANISATION}/${name}`, { name: "renamed" });
    name = "renamed";
    const sha = await commit("Hello from another name\n");
    await until("the push is known", () => delivery(sha));
    await setStatus(sha, "success");
    await reported(sha, "success");
    assert.equal((await releasesOf(sha)).length, 1);
  });

  it("is left without a webhook by `hooks remove`", async () => {
    const removed = await cli("hooks", "remove", `forge/${ORGANISATION}/${name}`);
    assert.equal(removed.code, 0, removed.text);
    assert.deepEqual(await gitea.call("GET", `/repos/${ORGANISATION}/${name}/hooks?page=1`), []);
    assert.ok(!world.deliverd.output().includes(gitea.token), "the token is in no log");
  });
});
