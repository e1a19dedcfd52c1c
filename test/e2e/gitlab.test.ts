import assert from "node:assert/strict";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { type GitLabStandIn, type HookDelivery, type Project, startGitLab } from "../support/hosts/gitlab/gitlab.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

const SIGNING_TOKEN = `whsec_${Buffer.alloc(32, "e2e").toString("base64")}`;

describe("A project on GitLab", function () {
  this.timeout(90_000);
  let gitlab: GitLabStandIn;
  let world: World;
  let repo: SampleRepo<Project, HookDelivery>;

  before(async () => {
    gitlab = await startGitLab();
    const { url, cloneUrl, token } = gitlab;
    world = await startWorld({
      config: {
        hosts: { gitlab: { type: "gitlab", url, cloneUrl, webhookSecret: SIGNING_TOKEN, token } },
        repos: ["gitlab/acme/**"],
      },
    });
    gitlab.sendHooksTo(`${world.deliverd.url}/webhooks/gitlab`, { signingToken: SIGNING_TOKEN });
    repo = await sampleRepo(gitlab, { owner: "acme/platform", name: "api" });
    await repo.commit({ ".deliverd.yml": pipeline([image("api")]) });
  });
  after(async () => {
    await repo?.remove();
    await stopAndCheck(world);
    await gitlab?.close();
    assert.deepEqual(gitlab?.violations, []);
    const answers = gitlab?.hooks.flatMap(({ answer }) => (answer === null ? [] : [answer.status]));
    assert.deepEqual([...new Set(answers)], [202], "GitLab would switch the webhook off");
  });

  const said = (sha: string) => gitlab.jobsOf(repo.repo, sha, "deliverd/api");
  const waitFor = (sha: string, status: string) =>
    until(`deliverd/api is ${status}`, () => {
      const last = said(sha).at(-1);
      return last?.status === status ? last : null;
    }).catch((error: unknown) => {
      const jobs = said(sha).map((job) => `${job.status}: ${job.description}`);
      throw new Error(`${String(error)}\njobs: ${jobs.join("\n  ")}\n${world.deliverd.output().slice(-6_000)}`);
    });
  const query = (sha: string) => new URLSearchParams({ repo: "gitlab/acme/platform/api", sha }).toString();
  const delivery = async (sha: string) => {
    const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(sha)}`);
    return items[0] ?? assert.fail("there is no delivery");
  };

  it("is delivered from push to release: red is reported, a retry begins again, green releases it", async () => {
    const sha = await repo.head();
    await repo.push();
    await gitlab.setJob(repo.repo, sha, "test", "running");
    await gitlab.setJob(repo.repo, sha, "test", "failed");
    assert.equal((await waitFor(sha, "failed")).description, "check test failed");
    assert.equal((await delivery(sha)).state, "waiting");

    const { id } = await delivery(sha);
    await world.deliverd.api(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    await until("a person's word is on GitLab", () => /cancelled/.test(said(sha).at(-1)?.description ?? ""));
    await world.deliverd.api(`/api/v1/deliveries/${id}/retry`, { method: "POST" });

    await gitlab.setJob(repo.repo, sha, "test", "success");
    const done = await waitFor(sha, "success");
    assert.equal(done.targetUrl, `${world.deliverd.url}/deliveries/${id}`);
    const { items } = await world.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?${query(sha)}`);
    assert.deepEqual([items.length, items[0]?.repo], [1, "gitlab/acme/platform/api"]);
    assert.equal(await world.digest("acme/api", `sha-${sha.slice(0, 7)}`), items[0]?.digest);
    assert.equal(gitlab.pipelinesOf(repo.repo, sha).length, 1, "reports went to the pipeline of CI");
    assert.ok(!world.deliverd.output().includes(gitlab.token));
  });
});
