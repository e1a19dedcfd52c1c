import assert from "node:assert/strict";
import { until } from "../../support/processes/process.ts";
import { image, pipeline, type World } from "../../support/world/world.ts";
import { decided, said } from "./support.ts";

const EVERYTHING = { on: { branches: ["**"], tags: ["**"] }, ci: "none" };

export function ownRules(world: () => World): void {
  it("does not let `on` and `ci: none` widen the server's entry", async () => {
    const repo = await world().repo("bounded", { ".deliverd.yml": pipeline([image("bounded")], EVERYTHING) });
    await repo.push();
    const main = await repo.head();
    await repo.branch("feature");
    const sha = await repo.commit({ "greeting.txt": "Wants out\n" });
    await repo.tag("nightly");
    await repo.push("feature", "nightly");
    await world().github.green(repo.repo, sha, { check: "security" });
    const why = await decided(world(), repo, sha);
    assert.equal(why.state, "ignored");
    assert.match(why.because, /branch feature is outside what the server allows acme\/bounded: branch main/);
    assert.match(why.because, /tag nightly is outside what the server allows/);
    assert.deepEqual(said(world(), repo, sha), []);

    const pending = await world().status(repo, main, "bounded", "pending");
    assert.equal(pending.description, "waiting for check security");
    assert.deepEqual(await world().tags("acme/bounded"), []);
  });

  it("refuses another team's image name, and leaves that name unchanged", async () => {
    const owner = await world().repo("vault", { ".deliverd.yml": pipeline([image("vault")], { ci: "none" }) });
    await owner.push();
    await world().status(owner, await owner.head(), "vault", "success");
    await until("its name stands", async () => (await world().digest("acme/vault", "main")) !== null);
    const before = await tagsAndDigests("acme/vault");

    const thief = await world().repo("thief", { ".deliverd.yml": pipeline([image("vault")], { ci: "none" }) });
    await thief.push();
    const refused = await world().status(thief, await thief.head(), "vault", "failure");
    assert.match(refused.description ?? "", /acme\/vault in local belongs to another repo/);
    assert.deepEqual(await tagsAndDigests("acme/vault"), before);
  });

  it("refuses a name with .. that leaves its place in the registry before the build", async () => {
    const as = [
      "../vault",
      "acme/../vault",
      "/vault",
      "acme//vault",
      "acme/vault:main",
      "acme/vault@sha256",
      "acme/%2e%2e/x",
    ];
    const repo = await world().repo("climber");
    const shas: string[] = [];
    for (const [index, path] of as.entries()) {
      await repo.branch(`climb-${index}`, "main");
      const artifact = image("climber", { publish: [{ to: "local", as: path }] });
      shas.push(await repo.commit({ ".deliverd.yml": pipeline([artifact], EVERYTHING) }));
    }
    await repo.push(...as.map((_, index) => `climb-${index}`));
    for (const [index, sha] of shas.entries()) {
      await world().status(repo, sha, null, "failure");
      assert.deepEqual((await world().delivery(repo, sha)).artifacts, [], as[index]);
    }
  });

  async function tagsAndDigests(repository: string) {
    const tags = await world().tags(repository);
    return Promise.all(tags.map(async (tag) => [tag, await world().digest(repository, tag)]));
  }
}
