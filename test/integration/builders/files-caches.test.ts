import assert from "node:assert/strict";
import { cachesIn } from "../../../src/builders/files/caches.ts";
import { buildFiles } from "../../support/engine/file-builds.ts";
import { startYard, type Yard } from "../../support/engine/image-builds.ts";

describe("A cache of file builds", function () {
  this.timeout(60_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard({ own: true });
  });
  after(() => yard.stop());
  // Each build writes down what it finds, and adds to it.
  const run = ["touch out; for d in /root/.npm deps; do echo x >> $d/log; cat $d/log >> out; done"];
  const build = async (cacheOf: string, cache = ["/root/.npm", "deps"]) =>
    (await buildFiles(yard, { run: ["mkdir -p /root/.npm deps", ...run], cacheOf, build: { cache } })).texts.out;

  it("is kept between builds of one repo, apart from other repos and other folders", async () => {
    assert.equal(await build("github:1"), "x\nx\n");
    assert.equal(await build("github:1"), "x\nx\nx\nx\n");
    assert.equal(await build("github:2"), "x\nx\n");
    assert.equal(await build("github:1", ["/root/.npm"]), "x\nx\nx\nx\n");
    assert.equal(await build("github:1", ["./deps/"]), "x\nx\nx\nx\n");
  });

  it("is listed for housekeeping with its size and last use, and can be removed", async () => {
    const fill = ["dd if=/dev/zero of=/big/file bs=1M count=3 2>/dev/null; touch out"];
    const began = Date.now();
    await buildFiles(yard, { run: fill, cacheOf: "github:3", build: { cache: ["/big"] } });
    const caches = cachesIn(yard.engine.docker, yard.cacheUses);
    const found = await caches.list();
    assert.equal(found.length, 5);
    const big = found.find(({ bytes }) => bytes > 3e6);
    assert.ok(big && big.usedAt >= began && big.usedAt <= Date.now(), JSON.stringify(found));
    assert.equal(await caches.remove(big.name), true);
    assert.equal(await caches.remove(big.name), false);
    assert.equal((await caches.list()).length, 4);
  });

  it("is not removed while a container uses it", async () => {
    const { cacheUses, engine } = yard;
    const { docker } = engine;
    await docker.createVolume({ Name: "deliverd-cache-used", Labels: { "dev.deliverd.cache": "github:9" } });
    const container = await docker.createContainer({
      Image: "127.0.0.1:9/shell:1",
      Cmd: ["/bin/true"],
      HostConfig: { Mounts: [{ Type: "volume", Source: "deliverd-cache-used", Target: "/x" }] },
    });
    assert.equal(await cachesIn(docker, cacheUses).remove("deliverd-cache-used"), false);
    await container.remove();
  });

  it("cannot hold outputs, which could come from an older build", async () => {
    const asked = { run: ["touch deps/old.txt"], files: ["deps/*.txt"], build: { cache: ["deps"] } };
    await assert.rejects(buildFiles(yard, asked), { code: "nothing-matches" });
  });

  for (const path of [".", "/", "/workspace", "/proc", "/dev/shm", "/sys/x"]) {
    it(`cannot be the folder ${path}`, async () => {
      await assert.rejects(buildFiles(yard, { run: ["true"], build: { cache: [path] } }), {
        name: "UserError",
        code: "bad-path",
      });
    });
  }
});
