import assert from "node:assert/strict";
import { until } from "../../support/processes/process.ts";
import { image, pipeline, slowDockerfile, type World } from "../../support/world/world.ts";
import { decided, lookedAt, said, send } from "./support.ts";

export function forgedGreen(world: () => World): void {
  it("trusts the state that the host gives, not the one in a correctly signed event", async () => {
    const { github } = world();
    const repo = await world().repo("forged", { ".deliverd.yml": pipeline([image("forged")]) });
    const sha = await repo.head();
    await repo.push();
    github.setCheckRun(repo.repo, sha, { name: "test", status: "in_progress" });
    github.setStatus(repo.repo, sha, { context: "test", state: "pending" });
    const [run, status] = [
      await github.webhook("check_run", repo.repo, { sha, name: "test" }),
      await github.webhook("status", repo.repo, { sha, context: "test" }),
    ];
    Object.assign(run.check_run as object, { status: "completed", conclusion: "success" });
    await lookedAt(world(), sha, async () => {
      const forged = { event: "status", payload: { ...status, state: "success" } };
      assert.equal((await send(world(), forged)).status, 202);
      assert.equal((await send(world(), { event: "check_run", payload: run })).status, 202);
    });
    await world().status(repo, sha, "forged", "pending");
    assert.deepEqual(said(world(), repo, sha), ["deliverd/forged pending: waiting for check test"]);
    assert.equal((await world().delivery(repo, sha)).state, "waiting");
  });

  it("never delivers a fork's commit that the host shows by its id, and reports nothing on it", async () => {
    const repo = await world().repo("forkable", { ".deliverd.yml": pipeline([image("forkable")]) });
    await repo.push();
    const sha = await repo.plantForkCommit({
      "greeting.txt": "Not ours\n",
      ".deliverd.yml": pipeline([image("forkable")], { ci: "none", on: { branches: ["**"] } }),
    });
    await world().github.green(repo.repo, sha, { check: "test", status: "test" });
    // The payload of a push to main that never was.
    const push = world().github.hooks.findLast(
      ({ event, payload }) => event === "push" && JSON.stringify(payload).includes("acme/forkable"),
    );
    const payload = {
      ...push?.payload,
      after: sha,
      head_commit: { ...(push?.payload.head_commit as object), id: sha },
    };
    await lookedAt(world(), sha, () => send(world(), { event: "push", payload }));
    const why = await decided(world(), repo, sha);
    assert.match(why.because, /no branch or tag of the repo holds this commit/);
    assert.deepEqual([await world().releases(repo, sha), said(world(), repo, sha)], [[], []]);
    assert.deepEqual(world().notices(repo, sha), []);
  });

  it("counts checks only of trusted apps, and no statuses if apps are configured", async () => {
    const repo = await world().repo("trusting", { ".deliverd.yml": pipeline([image("trusting")]) });
    const sha = await repo.head();
    await repo.push();
    const { github } = world();
    github.setCheckRun(repo.repo, sha, { name: "test", app: { id: 666, slug: "somebodys-app" } });
    await lookedAt(world(), sha, () => github.green(repo.repo, sha, { status: "test" }));
    await world().status(repo, sha, "trusting", "pending");
    assert.deepEqual(said(world(), repo, sha), [
      "deliverd/trusting pending: waiting for check test (by github-actions)",
    ]);
    await github.green(repo.repo, sha, { check: "test" });
    await world().status(repo, sha, "trusting", "success");
  });

  it("supersedes a commit that left its branch before its first name was written, and writes no name", async () => {
    const files = { ".deliverd.yml": pipeline([image("vanishing")]), Dockerfile: slowDockerfile(4) };
    const repo = await world().repo("vanishing", { ".deliverd.yml": files[".deliverd.yml"] });
    const kept = await repo.head();
    await repo.push();
    const gone = await repo.commit(files);
    await repo.push();
    await world().github.green(repo.repo, gone);
    await until("its build has begun", async () => (await world().log(repo, gone)).includes("sleep"));
    await repo.reset(kept);
    await repo.forcePush();
    await world().status(repo, gone, "vanishing", "error");
    const { state, because } = await world().delivery(repo, gone);
    assert.deepEqual([state, because], ["superseded", "no branch or tag of the repo holds this commit"]);
    assert.match(await world().log(repo, gone), /frozen as sha256/);
    assert.deepEqual([await world().releases(repo, gone), world().notices(repo, gone)], [[], []]);
    const tags = await world().tags("acme/vanishing");
    assert.deepEqual(
      tags.filter((tag) => tag.includes(gone.slice(0, 7))),
      [],
    );
  });
}
