import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import type { FilesOrder } from "../../../src/builders/builder.ts";
import type { BuilderParts } from "../../../src/builders/builder-kind.ts";
import { versionFor } from "../../../src/builders/engine/api-version.ts";
import { openEngine } from "../../../src/builders/engine/open.ts";
import { connectEngine, engineFacts } from "../../../src/builders/engine.ts";
import { builderKinds } from "../../../src/builders/index.ts";
import type { BuildCommands } from "../../../src/delivery/types.ts";
import { type Engine, startEngine } from "../../support/engine/engine.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { json, startScriptedServer } from "../../support/network/scripted-server.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

const settings = { kind: "auto", socket: null, url: null, tls: null } as const;

describe("The kind of an engine", function () {
  this.timeout(60_000);
  let dir: TempDir;
  let engine: Engine;
  before(async () => {
    dir = await tempDir();
    engine = await startEngine();
  });
  after(async () => {
    await engine.stop();
    await dir.remove();
  });

  it("is Docker if HTTP/1 answers at its socket", async () => {
    assert.equal((await openEngine({ ...settings, socket: engine.socket }, {})).protocol, "docker");
  });

  it("is BuildKit if only gRPC answers there", async () => {
    const server = await grpcServer(`${dir.path}/buildkit`);
    const found = await openEngine({ ...settings, socket: `${dir.path}/buildkit` }, {});
    assert.ok(found.protocol === "buildkit");
    assert.equal(found.address.url, `unix://${dir.path}/buildkit`);
    await new Promise((resolve) => server.close(resolve));
  });

  it("is Docker if nothing answers, so that its first request says what is wrong", async () => {
    const found = await openEngine({ ...settings, socket: `${dir.path}/nothing` }, {});
    assert.ok(found.protocol === "docker");
    await assert.rejects(engineFacts(found.docker), /ENOENT/);
  });

  it("is what the configuration says, without asking anybody", async () => {
    const socket = `${dir.path}/nothing`;
    const at = async (given: Partial<Parameters<typeof openEngine>[0]>, env: NodeJS.ProcessEnv = {}) => {
      const found = await openEngine({ ...settings, kind: "buildkit", ...given }, env);
      return found.protocol === "buildkit" ? found.address.url : found.protocol;
    };
    assert.equal(await at({ kind: "podman", socket }), "docker");
    assert.equal(await at({ socket }), `unix://${socket}`);
    assert.equal(await at({ url: "tcp://builder:1234" }, { BUILDKIT_HOST: "tcp://other:1" }), "tcp://builder:1234");
    assert.equal(await at({}, { BUILDKIT_HOST: "tcp://other:1" }), "tcp://other:1");
    assert.equal(await at({}), "unix:///run/buildkit/buildkitd.sock");
  });
});

describe("A server that has a BuildKit alone", () => {
  it("refuses what commands make, and tells the remedy (commands-need-docker)", async () => {
    const engine = await openEngine({ ...settings, kind: "buildkit" }, {});
    const parts = { engine: async () => engine } as unknown as BuilderParts;
    const build = { image: "x", run: ["y"] } as BuildCommands;
    const order = { artifact: artifactPlan({ kind: "npm", build }) } as unknown as FilesOrder;
    await assert.rejects(builderKinds.files.open(parts).build(order, testRun()), {
      name: "Refused",
      code: "commands-need-docker",
      message: /^artifact "api" of kind npm .* an engine with Docker or Podman\.$/,
    });
  });
});

describe("The version of the engine's API", () => {
  it("is the newest one that both sides know", () => {
    const version = (ApiVersion: string, MinAPIVersion: string) => versionFor({ ApiVersion, MinAPIVersion });
    assert.equal(version("1.41", "1.12"), "1.41");
    assert.equal(version("1.54", "1.40"), "1.47");
    assert.equal(version("1.60", "1.50"), "1.50");
  });

  it("is asked for without a version, also when an older engine takes the place of another", async () => {
    const asked: string[] = [];
    let ApiVersion = "1.54";
    const server = await startScriptedServer(({ url = "" }, response) => {
      asked.push(url);
      const known = url.startsWith(`/v${ApiVersion === "1.54" ? "1.47" : ApiVersion}/`) || url === "/version";
      if (!known) json(response, 400, { message: `client version is too new. Maximum is ${ApiVersion}` });
      else if (url === "/version") json(response, 200, { Version: "1", ApiVersion, Os: "linux", Arch: "amd64" });
      else json(response, 200, url.endsWith("/networks") ? [] : { NCPU: 1, Driver: "overlayfs" });
    });
    try {
      const docker = connectEngine({ env: { DOCKER_HOST: server.url.replace("http:", "tcp:") } });
      await engineFacts(docker);
      ApiVersion = "1.41";
      assert.equal((await engineFacts(docker)).apiVersion, "1.41");
      assert.deepEqual(asked.sort(), [
        ...["/v1.41/info", "/v1.41/networks", "/v1.47/info", "/v1.47/networks", "/version", "/version"],
      ]);
    } finally {
      await server.close();
    }
  });

  it("is kept by all requests of an engine that answers", async () => {
    const engine = await startEngine();
    const facts = await engineFacts(engine.docker);
    const docker = connectEngine({ socket: engine.socket, env: {} });
    await engineFacts(docker);
    assert.equal((await docker.info()).ServerVersion, facts.version);
    await engine.stop();
  });
});

/** Answers every call with an empty message, as ListWorkers of a BuildKit without workers. */
async function grpcServer(socket: string): Promise<Http2Server> {
  const server = createServer();
  server.on("stream", (stream) => {
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.end(Buffer.alloc(5));
  });
  server.listen(socket);
  await once(server, "listening");
  return server;
}
