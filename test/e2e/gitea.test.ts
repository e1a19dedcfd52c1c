import assert from "node:assert/strict";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { type GiteaStandIn, type HookDelivery, type Repo, startGitea } from "../support/hosts/gitea/gitea.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

const SECRET = "gitea-canary-webhook-secret";

/** Calls to Gitea's API for one commit, from its webhook to its release. */
const MAX_CALLS = 12;

describe("A repo on Gitea", function () {
  this.timeout(90_000);
  let gitea: GiteaStandIn;
  let world: World;
  let repo: SampleRepo<Repo, HookDelivery>;

  before(async () => {
    gitea = await startGitea();
    const { url, cloneUrl, token } = gitea;
    world = await startWorld({
      config: {
        hosts: { forge: { type: "gitea", url, cloneUrl, webhookSecret: SECRET, token } },
        repos: ["forge/acme/*"],
      },
    });
    gitea.sendHooksTo(`${world.deliverd.url}/webhooks/forge`, SECRET);
    repo = await sampleRepo(gitea, { owner: "acme", name: "api" });
    await repo.commit({ ".deliverd.yml": pipeline([image("api")]) });
  });
  after(async () => {
    await repo?.remove();
    await stopAndCheck(world);
    await gitea?.close();
    assert.deepEqual(gitea?.violations, []);
    const answers = gitea?.hooks.flatMap(({ answer }) => (answer === null ? [] : [answer.status]));
    assert.deepEqual([...new Set(answers)], [202], "a well-signed event is taken");
  });

  const said = (sha: string) => gitea.statusesOf(repo.repo, sha, "deliverd/api");
  const waitFor = (sha: string, state: string) =>
    until(`deliverd/api is ${state}`, () => {
      const last = said(sha).at(-1);
      return last?.state === state ? last : null;
    }).catch((error: unknown) => {
      const rows = said(sha).map((row) => `${row.state}: ${row.description}`);
      throw new Error(`${String(error)}\nstatuses: ${rows.join("\n  ")}\n${world.deliverd.output().slice(-6_000)}`);
    });
  const query = (sha: string) => new URLSearchParams({ repo: "forge/acme/api", sha }).toString();
  const delivery = async (sha: string) => {
    const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(sha)}`);
    return items[0] ?? assert.fail("there is no delivery");
  };
  const released = async (sha: string) => {
    const { items } = await world.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?${query(sha)}`);
    assert.deepEqual([items.length, items[0]?.repo], [1, "forge/acme/api"]);
    assert.equal(await world.digest("acme/api", `sha-${sha.slice(0, 7)}`), items[0]?.digest);
  };

  it("is delivered from push to release: red is reported, a retry begins again, green releases it", async () => {
    const sha = await repo.head();
    await repo.push();
    await gitea.setStatus(repo.repo, sha, "test", "pending");
    await gitea.setStatus(repo.repo, sha, "test", "failure");
    assert.equal((await waitFor(sha, "failure")).description, "check test failed");
    assert.equal((await delivery(sha)).state, "waiting");

    const { id } = await delivery(sha);
    await world.deliverd.api(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    await until("a person's word is on Gitea", () => /cancelled/.test(said(sha).at(-1)?.description ?? ""));
    await world.deliverd.api(`/api/v1/deliveries/${id}/retry`, { method: "POST" });

    await gitea.setStatus(repo.repo, sha, "test", "success");
    const done = await waitFor(sha, "success");
    assert.equal(done.targetUrl, `${world.deliverd.url}/deliveries/${id}`);
    await released(sha);
    assert.ok(!world.deliverd.output().includes(gitea.token));
  });

  it(`costs at most ${MAX_CALLS} calls a commit, and no report is there twice`, async () => {
    const sha = await repo.commit({ "greeting.txt": "Hello again\n" });
    gitea.requests.splice(0);
    await repo.push();
    await gitea.setStatus(repo.repo, sha, "test", "success");
    await waitFor(sha, "success");
    const calls = gitea.requests.map(({ method, path }) => `${method} ${path}`);
    assert.ok(calls.length <= MAX_CALLS, `${calls.length} calls:\n${calls.join("\n")}`);
    const rows = said(sha).map(({ state, description }) => `${state} ${description}`);
    assert.equal(new Set(rows).size, rows.length, rows.join("\n"));
  });

  it("is delivered under its new name, which no webhook told", async () => {
    gitea.rename(repo.repo, "renamed");
    const sha = await repo.commit({ "greeting.txt": "Hello from another name\n" });
    await repo.push();
    await gitea.setStatus(repo.repo, sha, "test", "success");
    await waitFor(sha, "success");
    const { items } = await world.deliverd.api<{ items: ReleaseView[] }>(
      `/api/v1/releases?${new URLSearchParams({ repo: "forge/acme/renamed", sha })}`,
    );
    assert.equal(items.length, 1);
  });
});
