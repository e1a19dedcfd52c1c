import assert from "node:assert/strict";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { type HostedRepo, type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { type BitbucketCloudStandIn, startBitbucketCloud } from "../support/hosts/bitbucket/cloud/cloud.ts";
import {
  type BitbucketDataCenterStandIn,
  startBitbucketDataCenter,
} from "../support/hosts/bitbucket/data-center/data-center.ts";
import type { HookDelivery } from "../support/hosts/bitbucket/hooks.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

const SECRET = "e2e-webhook-secret";
/** Requests from the webhook of a push to the report of its release, for one image. */
const MAX_CALLS = 12;

/** What the tests need of either product. */
interface Product {
  /** `acme/api`, as deliverd shows it. */
  name: string;
  hosts: Record<string, unknown>;
  token: string;
  front: BitbucketCloudStandIn["front"];
  hooks: HookDelivery[];
  repo: SampleRepo<HostedRepo, HookDelivery>;
  setBuild(sha: string, state: "INPROGRESS" | "FAILED" | "SUCCESSFUL"): Promise<void>;
  reportsOn(sha: string): { key: string; state: string; description: string; url: string }[];
  sendHooksTo(url: string): void;
  close(): Promise<void>;
}

async function startCloud(): Promise<Product> {
  const cloud = await startBitbucketCloud({ kind: "api", email: "sam@example.com", token: "ATATT=e2e+canary" });
  const repo = await sampleRepo(cloud, { owner: "acme", name: "api" });
  const { apiUrl, cloneUrl, login, front, hooks } = cloud;
  const settings = { type: "bitbucket", apiUrl, cloneUrl, username: "sam@example.com", webhookSecret: SECRET };
  return {
    ...{ name: "acme/api", hosts: { bitbucket: { ...settings, token: login.token } }, token: login.token },
    ...{ front, hooks, repo, sendHooksTo: (url) => cloud.sendHooksTo(url, SECRET), close: () => cloud.close() },
    setBuild: (sha, state) => cloud.setStatus(repo.repo, sha, { name: "test", state }),
    reportsOn: (sha) => cloud.statusesOf(repo.repo, sha),
  };
}

async function startDataCenter(): Promise<Product> {
  const dataCenter: BitbucketDataCenterStandIn = await startBitbucketDataCenter({
    username: null,
    token: "BBDC+e2e/canary",
  });
  const repo = await sampleRepo(dataCenter, { owner: "ACME", name: "api" });
  const { url, cloneUrl, login, front, hooks } = dataCenter;
  const settings = { type: "bitbucket", url, cloneUrl, webhookSecret: SECRET };
  return {
    ...{ name: "ACME/api", hosts: { bitbucket: { ...settings, token: login.token } }, token: login.token },
    ...{ front, hooks, repo, sendHooksTo: (to) => dataCenter.sendHooksTo(to, SECRET) },
    close: () => dataCenter.close(),
    setBuild: async (sha, state) => dataCenter.setBuild(repo.repo, sha, { name: "test", state }),
    reportsOn: (sha) => dataCenter.buildsOf(repo.repo, sha),
  };
}

for (const [name, start] of [
  ["Cloud", startCloud],
  ["Data Center", startDataCenter],
] as const) {
  describe(`A repo on Bitbucket ${name}`, function () {
    this.timeout(240_000);
    let product: Product;
    let world: World;

    before(async () => {
      product = await start();
      world = await startWorld({ config: { hosts: product.hosts, repos: ["bitbucket/acme/*"] } });
      product.sendHooksTo(`${world.deliverd.url}/webhooks/bitbucket`);
      await product.repo.commit({ ".deliverd.yml": pipeline([image("api")]) });
    });
    after(async () => {
      await product?.repo.remove();
      await stopAndCheck(world);
      await product?.close();
      assert.deepEqual(product?.front.violations, []);
      const answers = product?.hooks.flatMap(({ answer }) => (answer === null ? [] : [answer.status]));
      assert.deepEqual([...new Set(answers)], [202]);
    });

    const said = (sha: string) => product.reportsOn(sha).find(({ key }) => key === "deliverd/api");
    /** Data Center sends no event of CI, so half a minute may pass until deliverd asks. */
    const waitFor = (sha: string, state: string, timeout = 100_000) =>
      until(`deliverd/api is ${state}`, () => (said(sha)?.state === state ? said(sha) : null), timeout).catch(
        (error: unknown) => {
          const shown = JSON.stringify(said(sha));
          throw new Error(`${String(error)}\nreport: ${shown}\n${world.deliverd.output().slice(-6_000)}`);
        },
      );
    const query = (sha: string) => new URLSearchParams({ repo: `bitbucket/${product.name}`, sha }).toString();
    const delivery = async (sha: string) => {
      const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query(sha)}`);
      return items[0] ?? assert.fail("there is no delivery");
    };
    const released = async (sha: string) =>
      (await world.deliverd.api<{ items: ReleaseView[] }>(`/api/v1/releases?${query(sha)}`)).items;

    it("is delivered from push to release: red is reported, a retry begins again, green releases it", async () => {
      const sha = await product.repo.head();
      await product.setBuild(sha, "FAILED");
      await product.repo.push();
      assert.equal((await waitFor(sha, "FAILED"))?.description, "check test failed");
      assert.equal((await delivery(sha)).state, "waiting");

      const { id } = await delivery(sha);
      await world.deliverd.api(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
      await until("a person's word is on Bitbucket", () => /cancelled/.test(said(sha)?.description ?? ""));
      await world.deliverd.api(`/api/v1/deliveries/${id}/retry`, { method: "POST" });

      await product.setBuild(sha, "SUCCESSFUL");
      const done = await waitFor(sha, "SUCCESSFUL");
      assert.equal(done?.url, `${world.deliverd.url}/deliveries/${id}`);
      const releases = await released(sha);
      assert.deepEqual([releases.length, releases[0]?.repo], [1, `bitbucket/${product.name}`]);
      assert.equal(await world.digest("acme/api", `sha-${sha.slice(0, 7)}`), releases[0]?.digest);
      assert.ok(!world.deliverd.output().includes(product.token));
    });

    it("costs few requests from the webhook to the release, and a version tag gives it one more version", async () => {
      const sha = await product.repo.commit({ more: "" });
      product.front.requests.splice(0);
      await product.setBuild(sha, "INPROGRESS");
      await product.repo.push();
      await waitFor(sha, "INPROGRESS");
      await product.setBuild(sha, "SUCCESSFUL");
      await waitFor(sha, "SUCCESSFUL");
      // The sweep asks for the commits before it too.
      const isOfAnother = (path: string) => (/[0-9a-f]{40}/.exec(path)?.[0] ?? sha) !== sha;
      const calls = product.front.requests.filter(({ path }) => !isOfAnother(path));
      assert.ok(calls.length <= MAX_CALLS, calls.map(({ method, path }) => `${method} ${path}`).join("\n"));

      await product.repo.tag("v2.0.0", { annotated: true });
      await product.repo.push("v2.0.0");
      const versions = await until("the tag is a version", async () => {
        const [release] = await released(sha);
        return release?.versions.includes("2.0.0") ? release.versions : null;
      });
      assert.equal(versions.length, 2);
    });
  });
}
