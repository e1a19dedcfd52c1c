import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { explainEngineError } from "../../../src/builders/engine/errors.ts";
import { connectEngine } from "../../../src/builders/engine.ts";
import { collectOutputs } from "../../../src/builders/files/collect.ts";
import { freezeBuiltImage } from "../../../src/builders/image/freeze.ts";
import { imageBuilder } from "../../../src/builders/image.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { startIntake } from "../../../src/store/intake.ts";
import { Store } from "../../../src/store/store.ts";
import { orderOf } from "../../support/engine/image-builds.ts";
import { tarOf } from "../../support/fixtures/archives.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type Asked, json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

describe("A Docker Engine that fails", () => {
  let server: ScriptedServer;
  let dir: TempDir;
  before(async () => {
    dir = await tempDir();
  });
  afterEach(() => server.close());
  after(() => dir.remove());

  /** An engine that answers as the test's script says. */
  async function engine(answer: (asked: Asked, response: ServerResponse) => void) {
    server = await startScriptedServer(answer);
    return connectEngine({ env: { DOCKER_HOST: server.url.replace("http:", "tcp:") } });
  }

  it("by refusing a request is asked again later (engine-refused)", async () => {
    const docker = await engine((_asked, response) => json(response, 500, { message: "layer does not exist" }));
    const error = await docker.info().catch(explainEngineError);
    assert.ok(error instanceof Error && "code" in error);
    assert.deepEqual([error.name, error.code], ["TransientError", "engine-refused"]);
    assert.match(error.message, /layer does not exist/);
  });

  it("to push into the intake is asked again later (freeze-failed)", async () => {
    const docker = await engine((_asked, response) =>
      response.end(`${JSON.stringify({ error: "http: server gave HTTP response to HTTPS client" })}\n`),
    );
    const intake = await startIntake({ store: new Store(dir.path), listen: "127.0.0.1:0" });
    try {
      const grant = intake.grant("acme/api", { maxBytes: 1_000 });
      const frozen = freezeBuiltImage(docker, grant, new AbortController().signal);
      await assert.rejects(frozen, { name: "TransientError", code: "freeze-failed", message: /docker\.intake/ });
    } finally {
      await intake.stop();
    }
  });

  it("to send a whole file is asked again later (output-cut)", async () => {
    const stat = { name: "tool", size: 10, mode: 0o644, linkTarget: "" };
    const docker = await engine(async ({ method, url }, response) => {
      if (url.includes("/changes")) return json(response, 200, [{ Path: "/workspace/tool", Kind: 1 }]);
      response.setHeader("X-Docker-Container-Path-Stat", Buffer.from(JSON.stringify(stat)).toString("base64"));
      response.end(method === "HEAD" ? undefined : await tarOf([{ name: "tool", text: "half" }]));
    });
    const artifact = artifactPlan({ kind: "file", files: ["tool"] });
    const limits = { maxBytes: 1_000, maxFiles: 10 };
    const taken = collectOutputs(docker.getContainer("one"), artifact, new Store(dir.path), limits, testRun());
    await assert.rejects(taken, { name: "TransientError", code: "output-cut", message: /its 10 bytes/ });
  });

  it("by giving another image the name of a build does not have that one released (built-other-commit)", async () => {
    const docker = await engine(({ url }, response) => {
      if (url.endsWith("/version")) return json(response, 200, { Version: "20.10.0", ApiVersion: "1.41", Os: "linux" });
      if (url.endsWith("/info")) return json(response, 200, { NCPU: 2 });
      if (url.endsWith("/networks")) return json(response, 200, []);
      if (url.includes("/events")) return response.flushHeaders();
      if (url.includes("/build")) return json(response, 200, { aux: { ID: "sha256:1" } });
      return json(response, 200, { Config: { Labels: { "org.opencontainers.image.revision": "another" } } });
    });
    const store = new Store(dir.path);
    const intake = await startIntake({ store, listen: "127.0.0.1:0" });
    try {
      const options = {
        docker,
        intake,
        store,
        log: silentLog,
        registryAuth: () => null,
        installation: "classic" as const,
      };
      const order = orderOf({ Dockerfile: "FROM scratch\nCOPY a /\n", a: "a" });
      const labels = { "org.opencontainers.image.revision": "this" };
      const built = imageBuilder(options).build({ ...order, labels }, testRun());
      await assert.rejects(built, { name: "TransientError", code: "built-other-commit" });
    } finally {
      await intake.stop();
    }
  });
});
