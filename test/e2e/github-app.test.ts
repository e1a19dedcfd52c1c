import assert from "node:assert/strict";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { testKeys } from "../support/hosts/github/app.ts";
import type { GitHubStandIn } from "../support/hosts/github/github.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, WEBHOOK_SECRET, type World } from "../support/world/world.ts";

describe("A repo that deliverd serves as a GitHub App", function () {
  this.timeout(90_000);
  let world: World;
  let github: GitHubStandIn;
  let repo: SampleRepo;

  before(async () => {
    world = await startWorld({
      config: (around) => {
        const { apiUrl, cloneUrl } = around.github;
        const { id } = around.github.createApp();
        around.github.installApp("acme");
        const app = { id, privateKey: testKeys.pkcs1 };
        return { hosts: { github: { type: "github", apiUrl, cloneUrl, webhookSecret: WEBHOOK_SECRET, app } } };
      },
    });
    github = world.github;
    github.sendAppHooksTo(`${world.deliverd.url}/webhooks/github`, WEBHOOK_SECRET);
    repo = await world.repo("api", { ".deliverd.yml": pipeline([image("api")]) });
    github.setPermission(repo.repo, "sam", "write");
    github.setPermission(repo.repo, "guest", "read");
  });
  after(async () => {
    await stopAndCheck(world);
    for (const token of github?.apps.tokens.keys() ?? []) assert.ok(!world.deliverd.output().includes(token));
    const answers = github?.hooks.flatMap(({ answer }) => (answer === null ? [] : [answer.status]));
    // Nobody answers while deliverd is dead.
    assert.deepEqual(
      [...new Set(answers)].filter((status) => status !== 0),
      [202],
    );
  });

  const runs = (sha: string) => github.checkRunsOf(repo.repo, sha, "deliverd/api");
  const waitFor = (sha: string, wanted: string, count = 1) =>
    until(`check run ${count} of deliverd/api is ${wanted}`, () => {
      const run = runs(sha).at(-1);
      return runs(sha).length === count && (run?.conclusion ?? run?.status) === wanted ? run : null;
    }).catch((error: unknown) => {
      const all = runs(sha).map(
        ({ shown, ...run }) => `${run.status} ${run.conclusion}: ${shown?.updates.join(" / ")}`,
      );
      throw new Error(`${String(error)}\nruns: ${all.join("\n  ")}\n${world.deliverd.output().slice(-6_000)}`);
    });

  it("is reported from push to release: waiting, red, then green and released in a check run of its own", async () => {
    const sha = await repo.head();
    await repo.push();
    const first = await waitFor(sha, "queued");
    assert.match(first.shown?.title ?? "", /^Waiting/);
    await github.red(repo.repo, sha);
    assert.equal((await waitFor(sha, "failure")).shown?.title, "Check test failed");
    await github.green(repo.repo, sha);
    const run = await waitFor(sha, "success", 2);
    const { id } = await world.delivery(repo, sha);
    assert.deepEqual(
      [run.shown?.externalId, run.shown?.detailsUrl],
      [`${id}/deliverd/api`, `${world.deliverd.url}/deliveries/${id}`],
    );
    const digest = await world.digest("acme/api", `sha-${sha.slice(0, 7)}`);
    assert.ok(digest !== null && run.shown?.summary?.includes(digest), run.shown?.summary ?? "");
    assert.deepEqual(run.shown?.annotations, []);
    assert.equal(github.statusesOf(repo.repo, sha).filter(({ context }) => context.startsWith("deliverd")).length, 0);
  });

  it("asks GitHub at most nine times from the webhook to the release", async () => {
    const sha = await repo.commit({ "greeting.txt": "hello, frugal world" });
    github.setCheckRun(repo.repo, sha, { name: "test", conclusion: "success" });
    const before = github.requests.length;
    await repo.push();
    await waitFor(sha, "success");
    const asked = github.requests.slice(before);
    const counted = asked.filter(({ as, status }) => as === "installation" && status !== 304);
    assert.ok(counted.length <= 9, counted.map(({ method, path }) => `${method} ${path}`).join("\n"));
  });

  it("shows a mistake in the pipeline file at its line", async () => {
    const sha = await repo.commit({ ".deliverd.yml": pipeline([image("api", { kinds: "image" })]) });
    await repo.push();
    const run = await until("the check run deliverd has failed", () => {
      const last = github.checkRunsOf(repo.repo, sha, "deliverd").at(-1);
      return last?.conclusion === "failure" ? last : null;
    });
    const [annotation] = run.shown?.annotations ?? [];
    assert.deepEqual([annotation?.path, annotation?.annotation_level], [".deliverd.yml", "failure"]);
    assert.match(String(annotation?.message), /"kinds" is not a key here/);
  });

  it("shows a failed build, and its Re-run button begins again for who may write", async () => {
    const sha = await repo.commit({ ".deliverd.yml": pipeline([image("api", { dockerfile: "None" })]) });
    await repo.push();
    await github.green(repo.repo, sha);
    const failed = await waitFor(sha, "failure");
    assert.ok(failed.shown?.actions.some(({ identifier }) => identifier === "retry"));

    const updates = failed.shown?.updates.length ?? 0;
    await github.press(repo.repo, sha, "deliverd/api", "guest");
    const why = async () => {
      const { id } = await world.delivery(repo, sha);
      assert.ok(id);
      const query = new URLSearchParams({ repo: "github/acme/api", sha }).toString();
      return JSON.stringify(await world.deliverd.api(`/api/v1/why?${query}`));
    };
    await until("the guest is refused", async () => ((await why()).includes("guest may not write") ? true : null));
    await until("the check is shown once more", () =>
      (runs(sha).at(-1)?.shown?.updates.length ?? 0) > updates ? true : null,
    );
    assert.equal(runs(sha).length, 1);

    await github.press(repo.repo, sha, "deliverd/api", "sam");
    await waitFor(sha, "failure", 2);
    await github.press(repo.repo, sha, "deliverd/api", "sam", "retry");
    await waitFor(sha, "failure", 3);
    await github.pressSuite(repo.repo, sha, "sam");
    await waitFor(sha, "failure", 4);
  });

  it("makes no second check run where it dies after a request and before its own record of it", async () => {
    const crashed = await world.repo("crashed");
    const sha = await crashed.commit({ ".deliverd.yml": pipeline([image("crashed")]) });
    const shown = () => github.checkRunsOf(crashed.repo, sha, "deliverd/crashed");
    const restart = (env: Record<string, string>) => world.deliverd.restart({ env });
    await world.deliverd.stop();
    await restart({ DELIVERD_FAILPOINTS: "announce.sent" });
    await crashed.push();
    await world.deliverd.ended();
    assert.deepEqual(
      shown().map(({ status }) => status),
      ["queued"],
    );
    // Its own record says that nothing was sent: it dies again, after it has found and updated what it made.
    await restart({ DELIVERD_FAILPOINTS: "announce.sent" });
    await github.green(crashed.repo, sha);
    await world.deliverd.ended();
    await restart({});
    await until("it is released", () => (shown().at(-1)?.conclusion === "success" ? true : null));
    assert.equal(shown().length, 1, JSON.stringify(shown()));
  });
});
