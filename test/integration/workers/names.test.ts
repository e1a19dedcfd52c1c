import assert from "node:assert/strict";
import { stringify } from "yaml";
import { findReleasesByVersion } from "../../../src/api/find-releases.ts";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import { listCatalog } from "../../../src/ledger/catalog.ts";
import { decisionsOf } from "../../../src/ledger/decisions.ts";
import { type Delivery, findDelivery } from "../../../src/ledger/deliveries.ts";
import { getLocation } from "../../../src/ledger/locations.ts";
import { ownerOf, reserveName } from "../../../src/ledger/name-writes.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { listReleases, type Release } from "../../../src/ledger/releases.ts";
import type { StampedContent } from "../../../src/registries/registry.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { reconcileNames } from "../../../workers/names/reconcile-names.ts";
import { writeName } from "../../../workers/names/write-name.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { testRun } from "../../support/fixtures/run.ts";
import type { WorkTree } from "../../support/hosts/git-host.ts";
import { until } from "../../support/processes/process.ts";
import { startStation, type TestStation } from "./station.ts";

const WEB = "github:2";
const TAGS = ["{version}", "{branch}", "sha-{shortSha}"];

/** One image, delivered without CI from every branch and tag. */
function pipeline(as: string, tags = TAGS, more: Record<string, unknown>[] = []): string {
  const image = { name: "api", kind: "image", publish: [{ to: "local", as, tags }] };
  return stringify({ version: 1, ci: "none", on: { branches: ["**"], tags: ["**"] }, artifacts: [image, ...more] });
}

/** Something that is waited for until it is told to go on. */
function gate() {
  let open = () => {};
  let reached = () => {};
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  const isReached = new Promise<void>((resolve) => {
    reached = resolve;
  });
  return {
    open: () => open(),
    reached: isReached,
    wait: () => {
      reached();
      return isOpen;
    },
  };
}

describe("The naming of releases", function () {
  this.timeout(60_000);
  let at: TestStation;

  beforeEach(async () => {
    at = await startStation();
  });
  afterEach(() => at.close());

  const commit = (tree: WorkTree, text: string, files: Record<string, string>) =>
    tree.commit({ Dockerfile: `FROM scratch\n# ${text}\n`, ...files });
  const digestAtTag = (tag: string) => digestAt(`acme/api:${tag}`);
  const digestAt = (name: string) => at.registries.local.names.get(name)?.digest;

  /** Looks at the commit, delivers it where that says so, and puts the moving names in their places. */
  async function deliver(sha: string, repo = REPO): Promise<Delivery> {
    await evaluate(at.station, { repo, sha, ref: null });
    const { ledger } = at.station;
    const before = await findDelivery(ledger, repo, sha);
    if (before?.retryAt) await ledger.db.updateTable("deliveries").set({ retryAt: null }).execute();
    if (before?.state === "queued") await deliverNext(at.station, new Set());
    await reconcileNames(at.station, { repo, artifact: "api" });
    const delivery = await findDelivery(ledger, repo, sha);
    assert.ok(delivery);
    return delivery;
  }
  async function released(sha: string, repo = REPO): Promise<Release> {
    const { state, because } = await deliver(sha, repo);
    assert.equal(state, "delivered", because);
    const [release] = (await listReleases(at.station.ledger, { repoId: repo, sha, limit: 1 })).items;
    assert.ok(release);
    return release;
  }
  async function status(sha: string, repo = REPO, context = "deliverd/api"): Promise<string> {
    const rows = (await outboxOfCommit(at.station.ledger, repo, sha)).filter(({ kind }) => kind === "status");
    const said = rows.map(({ payload }) => payload as { context: string; state: string; description: string });
    const own = said.find((each) => each.context === context);
    return `${own?.state}: ${own?.description}`;
  }
  /** Where we stand; it comes to the host with the first commit at the latest. */
  async function branch(tree: WorkTree, name: string): Promise<void> {
    await tree.git(["checkout", "--quiet", "-b", name]);
    if ((await tree.git(["for-each-ref"])) !== "") await tree.push();
  }

  describe("if an immutable and a moving name collide", () => {
    it("refuses the commit's own name to a branch called sha-…", async () => {
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      const first = await released(one);
      await branch(at.repo, `sha-${one.slice(0, 7)}`);
      const two = await commit(at.repo, "two", {});
      await released(two);
      const name = `acme/api:sha-${one.slice(0, 7)}`;
      assert.equal(digestAt(name), first.digest);
      assert.match(await status(two), new RegExp(`^failure: ${name} in local holds api`));
    });

    it("makes a moving name immutable once a tag gives it to the same content", async () => {
      await at.repo.git(["checkout", "--quiet", "-b", "1.2.3"]);
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      const first = await released(one);
      assert.equal(digestAt("acme/api:1.2.3"), first.digest);
      await at.repo.git(["tag", "1.2.3"]);
      await at.repo.push();
      await released(one);
      const name = { registry: "local", repository: "acme/api", tag: "1.2.3" };
      assert.equal((await getLocation(at.station.ledger, name))?.immutable, true);
      const two = await commit(at.repo, "two", {});
      await released(two);
      assert.equal(digestAt("acme/api:1.2.3"), first.digest);
      assert.match(await status(two), /^failure: acme\/api:1\.2\.3 in local/);
      assert.match(await status(one), /^success: /);
    });

    it("lets an immutable name wait for a moving write in progress, and then have the name", async () => {
      const { local } = at.registries;
      const { publish } = local;
      const held = gate();
      local.publish = async (content, name, run) => {
        if (name.tag === "1.2.3" && !name.immutable) await held.wait();
        return publish.call(local, content, name, run);
      };
      await branch(at.repo, "1.2.3");
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      const moving = deliver(one);
      await held.reached;
      const two = await commit(at.repo, "two", {});
      await at.repo.git(["tag", "v1.2.3"]);
      await at.repo.push();
      await evaluate(at.station, { repo: REPO, sha: two, ref: null });
      const immutable = deliverNext(at.station, new Set());
      await until("the version is reserved or waits", async () => digestAt(`acme/api:sha-${two.slice(0, 7)}`) ?? true);
      held.open();
      await Promise.all([moving, immutable]);
      const version = await released(two);
      assert.equal(digestAt("acme/api:1.2.3"), version.digest);
      const noted = await getLocation(at.station.ledger, { registry: "local", repository: "acme/api", tag: "1.2.3" });
      assert.deepEqual([noted?.immutable, noted?.digest], [true, version.digest]);
    });

    it("replaces a moving name that was written but never recorded", async () => {
      const { local } = at.registries;
      const { publish } = local;
      local.publish = async (content, name, run) => {
        const location = await publish.call(local, content, name, run);
        if (name.tag === "1.2.3") throw new TransientError("registry-unreachable", "the answer was lost");
        return location;
      };
      await branch(at.repo, "1.2.3");
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      await assert.rejects(deliver(one), { code: "registry-unreachable" });
      local.publish = publish;
      const two = await commit(at.repo, "two", {});
      await at.repo.git(["tag", "v1.2.3"]);
      await at.repo.push();
      const version = await released(two);
      assert.equal(digestAt("acme/api:1.2.3"), version.digest);
    });

    it("keeps what another tool wrote, against a version and against a branch with a git tag's name", async () => {
      const theirs = { digest: `sha256:${"7".repeat(64)}` } as StampedContent;
      at.registries.local.names.set("acme/api:1.2.3", theirs);
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      await at.repo.git(["tag", "v1.2.3"]);
      await at.repo.push();
      const refused = await deliver(one);
      assert.equal(refused.state, "failed");
      assert.match(refused.because, /another tool wrote acme\/api:1\.2\.3/);
      await branch(at.repo, "1.2.3");
      const two = await commit(at.repo, "two", {});
      await released(two);
      assert.equal(digestAt("acme/api:1.2.3"), theirs.digest);
      assert.match(await status(two), /^failure: acme\/api:1\.2\.3 in local is reserved for the git tag/);
    });
  });

  it("keeps a git tag's name on its first commit, and delivers the tag's new commit without it", async () => {
    const move = async (tag: string, sha: string) => {
      await at.repo.git(["tag", "--force", tag, sha]);
      await at.repo.git(["push", "--quiet", "--force", "--tags", at.repo.bare]);
    };
    const yaml = pipeline("acme/api", ["{tag}", "{version}"]);
    const one = await commit(at.repo, "one", { ".deliverd.yml": yaml });
    await move("nightly", one);
    const { digest } = await released(one);
    const two = await commit(at.repo, "two", {});
    await move("nightly", two);
    const second = await released(two);
    assert.match(await status(two), /^success: .* released to local, not as nightly: that stays with an older commit/);
    await released(two);
    await move("v1.0.0", two);
    await released(two);
    assert.deepEqual(["nightly", "v1.0.0", "1.0.0"].map(digestAtTag), [digest, second.digest, second.digest]);
    const three = await commit(at.repo, "three", {});
    await released(three);
    await move("nightly", three);
    assert.equal((await deliver(three)).state, "delivered");
  });

  it("reports the second of two branches whose names are equal when they are cut", async () => {
    const long = "b".repeat(140);
    await branch(at.repo, `${long}1`);
    const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
    const first = await released(one);
    await branch(at.repo, `${long}2`);
    const two = await commit(at.repo, "two", {});
    await released(two);
    assert.equal(digestAt(`acme/api:${long.slice(0, 128)}`), first.digest);
    assert.match(await status(two), /^failure: acme\/api:bbb/);
  });

  it("fails a commit whose artifacts share a name before the build", async () => {
    const second = { name: "web", kind: "image", publish: [{ to: "local", as: "acme/{repo}", tags: ["{branch}"] }] };
    const sha = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api", TAGS, [second]) });
    await evaluate(at.station, { repo: REPO, sha, ref: null });
    assert.match(
      await status(sha, REPO, "deliverd"),
      /^failure: \.deliverd\.yml:24: artifacts\[1\]\.publish\[0\]\.tags\[0\]: artifacts "api" and "web" both publish as/,
    );
  });

  it("fails the second of two artifacts whose immutable names are equal at one commit only", async () => {
    const second = { name: "web", kind: "image", publish: [{ to: "local", as: "acme/{branch}", tags: ["{version}"] }] };
    await branch(at.repo, "api");
    const sha = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api", TAGS, [second]) });
    const { state, because } = await deliver(sha);
    assert.equal(state, "failed");
    assert.match(because, /holds (?:api|web) sha256:.*never moved/);
    const states = [await status(sha), await status(sha, REPO, "deliverd/web")].map((each) => each.split(":")[0]);
    assert.deepEqual(states.sort(), ["failure", "success"]);
  });

  describe("in a repository of the registry", () => {
    let web: WorkTree;
    beforeEach(async () => {
      web = await at.another(WEB, "web");
    });

    const refusals: [string, Error][] = [
      ["is refused with 403", new Refused("registry-denied", "403")],
      ["reaches a registry that is down", new TransientError("registry-unavailable", "503")],
      ["is cut off in the middle", new Error("the worker was killed")],
    ];
    for (const [title, error] of refusals) {
      it(`claims no ownership if the push ${title}`, async () => {
        const { local } = at.registries;
        const { publish } = local;
        local.publish = () => Promise.reject(error);
        const typo = await commit(at.repo, "typo", { ".deliverd.yml": pipeline("acme/web") });
        await deliver(typo).catch(() => {});
        assert.equal(await ownerOf(at.station.ledger, "local", "acme/web"), null);
        local.publish = publish;
        // A failed attempt is due again, and must not take the place of the other's.
        await at.station.ledger.db.updateTable("deliveries").set({ state: "failed" }).execute();
        await released(await commit(web, "one", { ".deliverd.yml": pipeline("acme/web") }), WEB);
        assert.equal(await ownerOf(at.station.ledger, "local", "acme/web"), WEB);
      });
    }

    it("makes one of two repos the owner if both publish first at the same moment", async () => {
      const { local } = at.registries;
      const { publish } = local;
      const held = gate();
      local.publish = async (content, name, run) => {
        await held.wait();
        return publish.call(local, content, name, run);
      };
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/shared") });
      const two = await commit(web, "two", { ".deliverd.yml": pipeline("acme/shared") });
      await evaluate(at.station, { repo: REPO, sha: one, ref: null });
      await evaluate(at.station, { repo: WEB, sha: two, ref: null });
      const both = [deliverNext(at.station, new Set()), deliverNext(at.station, new Set())];
      await held.reached;
      held.open();
      await Promise.all(both);
      const ends = [await findDelivery(at.station.ledger, REPO, one), await findDelivery(at.station.ledger, WEB, two)];
      assert.deepEqual(ends.map((end) => end?.state).sort(), ["delivered", "failed"]);
      const [loser] = ends.filter((end) => end?.state === "failed");
      assert.match(loser?.because ?? "", /acme\/shared in local belongs to another repo/);
    });

    it("checks the owner for moving names too, even if a branch comes long after its commit", async () => {
      const victim = await released(
        await commit(web, "one", { ".deliverd.yml": pipeline("acme/web", ["{version}", "latest"]) }),
        WEB,
      );
      const sha = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/{branch}", ["latest", "1.0.0"]) });
      await released(sha);
      await branch(at.repo, "web");
      await deliver(sha);
      assert.equal(digestAt("acme/web:latest"), victim.digest);
      assert.equal(digestAt("acme/web:1.0.0"), undefined);
      assert.match(await status(sha), /^failure: acme\/web in local belongs to another repo/);
    });
  });

  describe("through two keys of one registry", () => {
    const toSecond = (as: string) => pipeline(as).replace("to: local", "to: second");
    let web: WorkTree;
    beforeEach(async () => {
      web = await at.another(WEB, "web");
      const { local } = at.station.config.registries;
      assert.ok(local);
      // The same host, in other letters and with its usual port.
      const second = { ...local, url: "https://LOCAL.example.com:443" };
      at.station.config = { ...at.station.config, registries: { ...at.station.config.registries, second } };
      at.station.registries.set("second", at.registries.local);
    });

    it("is refused to a second repo, also through the other key", async () => {
      const first = await released(await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") }));
      const sha = await commit(web, "two", { ".deliverd.yml": toSecond("acme/api") });
      const refused = await deliver(sha, WEB);
      assert.equal(refused.state, "failed");
      assert.match(refused.because, /acme\/api in second belongs to another repo/);
      assert.equal(digestAtTag("main"), first.digest);
    });

    it("uses the key that the pipeline names now, and rewrites nothing under the other", async () => {
      await released(await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") }));
      const second = await released(await commit(at.repo, "two", { ".deliverd.yml": toSecond("acme/api") }));
      assert.equal(digestAtTag("main"), second.digest);
      at.registries.local.published.length = 0;
      await reconcileNames(at.station, { repo: REPO, artifact: "api", verify: true });
      assert.deepEqual(at.registries.local.published, []);
      assert.equal(digestAtTag("main"), second.digest);
    });

    it("is recorded under both keys if a pipeline publishes to both", async () => {
      const publish = ["local", "second"].map((to) => ({ to, as: "acme/api", tags: TAGS }));
      const artifacts = [{ name: "api", kind: "image", publish }];
      const on = { branches: ["**"] };
      const yaml = stringify({ version: 1, ci: "none", on, artifacts });
      const sha = await commit(at.repo, "one", { ".deliverd.yml": yaml });
      const { digest } = await released(sha);
      for (const registry of ["local", "second"]) {
        for (const tag of ["main", `sha-${sha.slice(0, 7)}`]) {
          const noted = await getLocation(at.station.ledger, { registry, repository: "acme/api", tag });
          assert.equal(noted?.digest, digest, `${tag} in ${registry}`);
        }
      }
    });
  });

  it("leaves a moving name of a shared repository to the repo that moved it first, without a failure", async () => {
    const web = await at.another(WEB, "web");
    const { local, ...others } = at.station.config.registries;
    assert.ok(local);
    const registries = { ...others, local: { ...local, shared: ["acme/commons"] } };
    at.station.config = { ...at.station.config, registries };
    const first = await released(await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/commons") }));
    const sha = await commit(web, "two", { ".deliverd.yml": pipeline("acme/commons") });
    const second = await released(sha, WEB);
    assert.equal(digestAt("acme/commons:main"), first.digest);
    assert.equal(digestAt(`acme/commons:sha-${sha.slice(0, 7)}`), second.digest);
    assert.match(await status(sha, WEB), /^success: /);
    const decisions = await decisionsOf(at.station.ledger, WEB, sha);
    const [told] = decisions.filter(({ action }) => action === "name-lost");
    assert.match(told?.because ?? "", /acme\/commons:main in local is moved by another repo/);

    const name = { registry: "local", repository: "acme/commons", tag: "main", immutable: false };
    const content = at.registries.local.names.get("acme/commons:main");
    assert.ok(content);
    const of = { repoId: WEB, deliveryId: second.deliveryId, artifact: "api" };
    const write = writeName(at.station, { name, content, of, before: async () => {} }, testRun());
    await assert.rejects(write, { code: "name-of-another-repo" });
  });

  it("gives up for now if another write holds the name, and undoes nothing if it lost its reservation", async () => {
    const { ledger } = at.station;
    const sha = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
    const { deliveryId, digest, kind, mediaType, size } = await released(sha);
    const name = { registry: "local", repository: "acme/api", tag: "9.9.9", immutable: true };
    const content: StampedContent = { digest, mediaType, size, kind, metadata: {} };
    const of = { repoId: REPO, deliveryId, artifact: "api" };
    const order = { ...name, ...of, digest: "sha256:x", owner: "other", shared: false };
    await reserveName(ledger, { ...order, token: "theirs" }, 60_000);
    const write = { name, content, of, before: async () => {} };
    await assert.rejects(writeName(at.station, write, testRun(), 0), { name: "TransientError", code: "name-busy" });
    await ledger.db.deleteFrom("nameWrites").execute();
    const before = async () => void (await ledger.db.updateTable("nameWrites").set({ token: "theirs" }).execute());
    const lost = writeName(at.station, { ...write, before }, testRun(), 0);
    await assert.rejects(lost, { name: "TransientError", code: "name-lost" });
    assert.equal(await getLocation(ledger, name), null);
  });

  describe("with latest, as the ledger finds it,", () => {
    const latest = async () => (await findReleasesByVersion(at.station.ledger, "api", "latest")).map(({ sha }) => sha);

    it("records beside it which release stands on each branch, and forgets a branch that is gone", async () => {
      const standing = async () => {
        const { items } = await listCatalog(at.station.ledger, { limit: 10 });
        return items.flatMap(({ branches }) => branches.map(({ ref, release }) => [ref, release.sha]));
      };
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api") });
      await released(one);
      await branch(at.repo, "side");
      const two = await commit(at.repo, "two", {});
      await released(two);
      assert.deepEqual(await standing(), [
        ["refs/heads/main", one],
        ["refs/heads/side", two],
      ]);
      await at.repo.git(["checkout", "--quiet", "main"]);
      await at.repo.git(["branch", "-D", "side"]);
      await at.repo.push();
      await released(one);
      assert.deepEqual(await standing(), [["refs/heads/main", one]]);
    });

    it("puts it on the default branch's newest commit before the first version, whatever came last", async () => {
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api", ["{version}", "latest"]) });
      await released(one);
      await branch(at.repo, "side");
      const two = await commit(at.repo, "two", {});
      await released(two);
      assert.deepEqual(await latest(), [one]);
      const { digest } = await released(one);
      assert.equal(digestAt("acme/api:latest"), digest);
    });

    it("puts it on the highest released version, even if its git tag is gone, and on no pre-release", async () => {
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api", ["{version}", "latest"]) });
      await at.repo.git(["tag", "v1.0.0"]);
      await at.repo.push();
      await released(one);
      const two = await commit(at.repo, "two", {});
      await at.repo.git(["tag", "v2.0.0"]);
      await at.repo.push();
      await released(two);
      await at.repo.git(["tag", "--delete", "v2.0.0"]);
      const three = await commit(at.repo, "three", {});
      await at.repo.git(["tag", "v3.0.0-rc.1"]);
      await at.repo.push();
      await released(three);
      assert.deepEqual(await latest(), [two]);
      const { digest } = await released(two);
      assert.equal(digestAt("acme/api:latest"), digest);
    });

    it("puts it on no release while another tool's version in the repo is higher", async () => {
      const one = await commit(at.repo, "one", { ".deliverd.yml": pipeline("acme/api", ["{version}", "latest"]) });
      await at.repo.git(["tag", "v5.0.0"]);
      await commit(at.repo, "two", {});
      const two = await commit(at.repo, "three", {});
      await at.repo.git(["tag", "v4.9.1"]);
      await at.repo.push();
      await released(two);
      assert.notEqual(one, two);
      assert.deepEqual(await latest(), []);
      assert.equal(digestAt("acme/api:latest"), undefined);
    });
  });
});
