import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { generator } from "../../src/observe/failpoints.ts";
import type { Pushed } from "../faults/oracle.ts";
import { begin, builds, quickFiles, settled } from "../faults/support.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type FaultyProxy, type Passed, startFaultyProxy } from "../support/network/faulty-proxy.ts";
import { until } from "../support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../support/registries/docker-registry.ts";
import { startWorld, type World } from "../support/world/world.ts";

const SEED = 20_240_502;
const LAYER = 400_000;
/** The second of these is the one that fails. */
const DESTINATIONS = ["local", "flaky", "strict"];

describe("deliverd, when one of three registries fails,", function () {
  this.timeout(600_000);
  let strict: TestRegistry;
  let steady: FaultyProxy;
  let flaky: FaultyProxy;
  let tokened: FaultyProxy;
  let world: World;
  let repo: SampleRepo;
  const pushed: Pushed[] = [];

  before(async () => {
    strict = await startRegistry({ auth: "token" });
    tokened = await startFaultyProxy(strict.url);
    world = await startWorld({
      async config({ registry, second }) {
        steady = await startFaultyProxy(registry.url);
        flaky = await startFaultyProxy(second.url);
        const { username, password } = registry;
        return {
          registries: {
            local: { type: "oci", url: steady.url, username, password, default: true },
            flaky: { type: "oci", url: flaky.url },
            nowhere: { type: "oci", url: "http://nowhere.invalid:5000" },
            strict: { type: "oci", url: tokened.url, username: strict.username, password: strict.password },
          },
        };
      },
    });
    const files = quickFiles("three", DESTINATIONS);
    repo = await world.repo("three", {
      ...files,
      Dockerfile: "FROM scratch\nCOPY greeting.txt layer /\n",
      layer: layer(),
    });
    pushed.push(await begin(world, repo));
    await stand();
  });

  afterEach(() => {
    for (const proxy of [steady, flaky, tokened]) proxy.fault = () => undefined;
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    for (const server of [steady, flaky, tokened, strict]) await server?.stop();
    assert.deepEqual(violations, []);
  });

  it("backs off while that registry refuses connections, and publishes later without a second build", async () => {
    await flaky.refuse();
    const sha = await push();
    await until("it will be retried", () => /^trying again in \d+ s: /.test(said(sha)), 60_000);
    await flaky.accept();
    await stand();
  });

  it("tries again if the registry's name does not resolve, and says that name", async () => {
    const lost = await world.repo("lost", quickFiles("lost", ["nowhere"]));
    const { sha } = await begin(world, lost);
    await until(
      "the commit says that it will be retried",
      () =>
        /^trying again in \d+ s: .*nowhere\.invalid/.test(
          world.github.lastStatus(lost.repo, sha, "deliverd/lost")?.description ?? "",
        ),
      60_000,
    );
    const { id } = await world.delivery(lost, sha);
    await world.deliverd.fetch(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    await world.status(lost, sha, "lost", "error");
  });

  it("waits as long as a 429 with Retry-After says, and then publishes", async () => {
    const asked: number[] = [];
    flaky.fault = () => {
      asked.push(Date.now());
      return asked.length === 1 || Date.now() - (asked[0] ?? 0) < 1_000
        ? { status: 429, headers: { "retry-after": "5" } }
        : undefined;
    };
    await push();
    await stand();
    const [first = 0, ...more] = asked;
    // What was under way beside the first is let be.
    const later = more.map((at) => at - first).filter((ms) => ms > 1_000);
    assert.ok(later.length > 0 && later.every((ms) => ms >= 4_900), `${later}`);
  });

  it("publishes once after the answers 500, 502 and 503", async () => {
    let count = 0;
    flaky.fault = () => (count < 3 ? { status: [500, 502, 503][count++] ?? 500 } : undefined);
    await push();
    await stand();
    assert.equal(count, 3);
  });

  it("finds a layer and a name by HEAD if the answer 201 was lost, and sends neither again", async () => {
    const lost = new Set<string>();
    flaky.fault = ({ method, url }) => {
      const kind = url.includes("/manifests/") ? "name" : "layer";
      if (method !== "PUT" || lost.has(kind)) return undefined;
      lost.add(kind);
      return { loseAnswer: true };
    };
    await push();
    await stand();
    assert.deepEqual([...lost].sort(), ["layer", "name"]);
  });

  it("publishes the whole image after its connection was cut at byte N of a push three times", async () => {
    const random = generator(SEED);
    let cuts = 0;
    flaky.fault = (request) =>
      isUpload(request) && size(request) > LAYER / 2 && cuts++ < 3
        ? { cutAfter: Math.floor(random() * LAYER) }
        : undefined;
    await push();
    await stand();
    assert.ok(cuts >= 3);
  });

  it("logs in again if its token expires during a push, and publishes", async () => {
    const { tokens } = strict;
    assert.ok(tokens);
    tokens.rules = { life: 1, told: 300, actions: ["pull", "push"] };
    // A token of before would still be good.
    await world.deliverd.restart();
    const given = tokens.given.length;
    let slow = 0;
    tokened.fault = (request) => (isUpload(request) && slow++ === 0 ? { delay: 2_500 } : undefined);
    await push();
    await until("a token was refused", () => tokened.passed.some((one) => one.status === 401 && isUpload(one)), 60_000);
    tokens.rules = { life: 300, told: 300, actions: ["pull", "push"] };
    await stand();
    assert.ok(tokens.given.length > given);
  });

  it("publishes to the others, retries it alone, and announces the release when all have it", async () => {
    flaky.fault = () => ({ status: 503 });
    const sha = await push();
    const short = `sha-${sha.slice(0, 7)}`;
    await until("it will be retried", () => /^trying again in \d+ s: /.test(said(sha)), 60_000);
    const digest = await world.digest("acme/three", short);
    assert.notEqual(digest, null);
    const [before, tries] = [writes(), flaky.passed.length];
    await until("it was tried twice more", () => attempts(sha) >= 3, 60_000);
    assert.ok(flaky.passed.length > tries);
    assert.deepEqual(writes(), before);
    assert.deepEqual(world.notices(repo, sha), []);
    flaky.fault = () => undefined;
    await stand();
    assert.equal(await world.digest("acme/three", short, world.second), digest);
  });

  it("does not send complete layers again if the worker was killed at byte N of another", async () => {
    flaky.passed.length = 0;
    flaky.fault = (request) => (size(request) > LAYER / 2 ? { stallAfter: LAYER / 4 } : undefined);
    await push();
    await until("it stalls", () => flaky.passed.some((one) => one.bytes > LAYER / 4), 60_000);
    await world.deliverd.kill();
    const whole = blobs(flaky.passed.filter((one) => one.status === 201));
    flaky.passed.length = 0;
    flaky.fault = () => undefined;
    await world.deliverd.restart();
    await stand();
    assert.deepEqual(
      blobs(flaky.passed).filter((one) => whole.includes(one)),
      [],
    );
  });

  /** One more green commit, with a layer of its own. */
  async function push(): Promise<string> {
    const sha = await repo.commit({ layer: layer() });
    pushed.push(await begin(world, repo));
    return sha;
  }

  /** All that was pushed stands in all three, and the last of it was built once. */
  async function stand(): Promise<void> {
    await settled(world, pushed, { within: 90_000, registries: [world.registry, world.second, strict] });
    assert.ok((await builds(world, repo, await repo.head())) <= 1);
  }

  function said(sha: string): string {
    return world.github.lastStatus(repo.repo, sha, "deliverd/three")?.description ?? "";
  }

  /** How often the commit was told that it is being published. */
  function attempts(sha: string): number {
    const told = world.github.statusesOf(repo.repo, sha).map(({ description }) => description ?? "");
    return told.filter((one) => one.startsWith("trying again in")).length;
  }

  /** What was written to the two others. */
  function writes(): string[] {
    return [...steady.passed, ...tokened.passed]
      .filter(({ method }) => method !== "GET" && method !== "HEAD")
      .map(({ method, url }) => `${method} ${url}`);
  }
});

function layer(): Buffer {
  return randomBytes(LAYER);
}

function isUpload({ method, url }: Passed): boolean {
  return method === "PUT" && url.includes("/blobs/uploads/");
}

function size({ headers }: Passed): number {
  return Number(headers["content-length"] ?? 0);
}

/** Digests of the blobs that were sent. */
function blobs(passed: Passed[]): string[] {
  return passed.filter(isUpload).map(({ url }) => new URL(url, "http://registry").searchParams.get("digest") ?? "");
}
