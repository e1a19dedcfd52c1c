// Runs with a real buildkitd on the PATH, or under DELIVERD_TEST_BUILDKITD: `npm run test:peers`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type BuildKitDaemon, startBuildKit } from "../support/engine/buildkitd.ts";
import { platformConfig } from "../support/registries/platform-config.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

const run = promisify(execFile);

describe("A server that builds with a buildkitd alone", function () {
  this.timeout(120_000);
  let daemon: BuildKitDaemon;
  let world: World;
  before(async () => {
    daemon = await startBuildKit({ tls: true });
    const { url, tls } = daemon.address;
    world = await startWorld({
      config: ({ registry }) => ({
        docker: { kind: "buildkit", url, tls },
        registries: {
          local: { type: "oci", url: registry.url, username: registry.username, password: registry.password },
          // Nothing gets there.
          files: { type: "http", url: registry.url },
        },
      }),
    });
  });
  after(async () => {
    await world?.stop();
    await daemon?.stop();
  });

  it("delivers an image for two platforms as one index, whose images a client finds by their platform", async () => {
    const repo = await world.repo("two", {
      Dockerfile: "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY greeting.txt /\n",
      ".deliverd.yml": pipeline([image("two", { platforms: ["linux/amd64", "linux/arm64"] })]),
    });
    const sha = await world.release(repo);
    const tag = `sha-${sha.slice(0, 7)}`;
    for (const arch of ["amd64", "arm64"]) {
      const { architecture, config } = await platformConfig(world.registry, `acme/two:${tag}`, arch);
      assert.deepEqual([architecture, config.Labels.arch], [arch, arch]);
      assert.equal(config.Labels["org.opencontainers.image.revision"], sha);
    }
  });

  it("refuses what commands make, with the remedy", async () => {
    const build = { image: "busybox", run: ["true"] };
    const tool = { name: "tool", kind: "file", build, files: "*", publish: [{ to: "files" }] };
    const repo = await world.repo("tool", { ".deliverd.yml": pipeline([tool]) });
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    await world.status(repo, sha, "tool", "failure");
    assert.match(await world.log(repo, sha), /is made by commands in a container, .* an engine with Docker or Podman/);
  });

  it("is checked by doctor, with the way from the buildkitd to the intake", async () => {
    const doctor = () => run(process.execPath, [BIN, "doctor", "--json", "--config", world.deliverd.configFile]);
    const { stdout } = await doctor();
    const found: { part: string; state: string; text: string }[] = JSON.parse(stdout);
    const of = (part: string) => found.find((each) => each.part === part);
    assert.match(of("engine")?.text ?? "", /^BuildKit .* at tcp:\/\/127\.0\.0\.1:\d+; images for linux\//);
    assert.match(of("intake")?.text ?? "", /^the engine reaches 127\.0\.0\.1:\d+$/);
    assert.doesNotMatch(stdout, /PRIVATE KEY/);
  });
});
