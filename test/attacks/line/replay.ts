import assert from "node:assert/strict";
import type { SampleRepo } from "../../support/fixtures/sample-repo.ts";
import type { HookDelivery } from "../../support/hosts/github/github.ts";
import { until } from "../../support/processes/process.ts";
import { image, pipeline, type World } from "../../support/world/world.ts";
import { lookedAt, said, send } from "./support.ts";

/** An attacker who recorded a signed webhook can send it again for ever: GitHub's delivery id is not signed. */
export function replays(world: () => World): void {
  it("answers 202 to it under a new delivery id, without a second release, notice, status or name", async () => {
    const repo = await world().repo("replayed", { ".deliverd.yml": pipeline([image("replayed")]) });
    const older = await world().release(repo);
    await until("it is announced", () => world().notices(repo, older).length === 1);
    await until("it has ended", async () => /^released /m.test(await world().log(repo, older)));
    await until("its proof stands", async () => (await world().releases(repo, older))[0]?.proof === "stands");
    const before = await traces(repo, older);
    const old = world().github.hooks.filter(({ payload }) => JSON.stringify(payload).includes("acme/replayed"));
    assert.ok(old.length >= 4, `${old.length} webhooks were recorded`);
    await replayed(old, older);

    await repo.commit({ "greeting.txt": "Newer\n" });
    const newer = await world().release(repo);
    const digest = (await world().releases(repo, newer))[0]?.digest;
    await until("main is the newer", async () => (await world().digest("acme/replayed", "main")) === digest);
    await replayed(old, older);
    assert.deepEqual(await traces(repo, older), before);
    assert.equal(await world().digest("acme/replayed", "main"), digest);
  });

  function replayed(hooks: HookDelivery[], sha: string): Promise<void> {
    return lookedAt(world(), sha, async () => {
      for (const { status } of await Promise.all(hooks.map((hook) => send(world(), hook)))) assert.equal(status, 202);
    });
  }

  /** All that an effect would show in. Moving names are the newest commit's affair. */
  async function traces(repo: SampleRepo, sha: string) {
    const tags = (await world().tags("acme/replayed")).filter((tag) => tag.includes(sha.slice(0, 7)));
    const { id, state, because, artifacts, finishedAt } = await world().delivery(repo, sha);
    return {
      delivery: { id, state, because, artifacts, finishedAt },
      releases: (await world().releases(repo, sha)).map(({ locations, ...rest }) => rest),
      notices: world().notices(repo, sha),
      statuses: said(world(), repo, sha),
      digests: await Promise.all(tags.map((tag) => world().digest("acme/replayed", tag))),
      tags,
      log: await world().log(repo, sha),
    };
  }
}
