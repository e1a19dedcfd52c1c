import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { connectBuildKit } from "../../../src/builders/buildkit/address.ts";
import { type BuildKit, speakTo } from "../../../src/builders/buildkit/connection.ts";
import { buildKitIn } from "../../../src/builders/buildkit/docker.ts";
import { GrpcClient } from "../../../src/builders/buildkit/grpc/client.ts";
import { GrpcError } from "../../../src/builders/buildkit/grpc/status.ts";
import { secretMethods } from "../../../src/builders/buildkit/session/secrets.ts";
import { uploadMethods } from "../../../src/builders/buildkit/session/upload.ts";
import { solve } from "../../../src/builders/buildkit/solve.ts";
import { askWorkers } from "../../../src/builders/buildkit/workers.ts";
import { shellImage, startYard, treeOf, type Yard } from "../../support/engine/image-builds.ts";
import { tempDir, until } from "../../support/processes/process.ts";

/** The two ways to BuildKit: Docker's own requests, and BuildKit's protocol on the connection itself. */
const ways: [name: string, open: (docker: Dockerode) => Promise<BuildKit>][] = [
  ["by Docker's /grpc and /session", buildKitIn],
  ["by BuildKit's own protocol", async (docker) => speakTo(await grpcSocket(docker))],
];

for (const [name, open] of ways)
  describe(`The BuildKit inside Docker, ${name}`, function () {
    this.timeout(60_000);
    let yard: Yard;
    let buildkit: BuildKit;
    before(async () => {
      yard = await startYard();
    });
    after(() => yard.stop());
    beforeEach(async () => {
      buildkit = await open(yard.engine.docker);
    });
    afterEach(() => buildkit.close());

    /** Builds into the engine itself, as an engine with Docker's own store can. */
    async function build(files: Record<string, string>, signal = new AbortController().signal, secrets = {}) {
      let output = "";
      const session = await buildkit.openSession({
        ...uploadMethods(async () => treeOf(files)),
        ...secretMethods(secrets),
      });
      const tag = `127.0.0.1:9/client-test:${process.pid}`;
      const order = {
        session: session.id,
        attrs: {
          context: `http://buildkit-session/${session.id}`,
          filename: "Dockerfile",
          "force-network-mode": "none",
        },
        exporter: { type: "moby", attrs: { name: tag } },
      };
      const hear = (trace: { logs: { msg: Uint8Array }[] }) => {
        for (const { msg } of trace.logs) output += Buffer.from(msg).toString();
      };
      const result = solve(buildkit.client, order, hear, signal);
      return { result, output: () => output };
    }

    it("says what it can", async () => {
      const facts = await askWorkers(buildkit.client);
      assert.match(facts.platforms[0] ?? "", /^linux\//);
      assert.equal(facts.exportsImages, false);
    });

    it("builds a context that it asks for, with its secrets, and tells the output of the steps", async () => {
      const dockerfile = `FROM ${shellImage}\nCOPY a /a\nRUN --mount=type=secret,id=S cat /a /run/secrets/S\n`;
      const files = { Dockerfile: dockerfile, a: `the text of ${name}\n` };
      const { result, output } = await build(files, undefined, { S: "s3cret" });
      assert.match((await result)["containerimage.digest"] ?? "", /^sha256:/);
      assert.equal(output(), `the text of ${name}\ns3cret`);
    });

    it("says why a build failed", async () => {
      const { result } = await build({ Dockerfile: `FROM ${shellImage}\nRUN exit 3\n` });
      await assert.rejects(result, (error) => {
        assert.ok(error instanceof GrpcError);
        assert.match(error.message, /exit code: 3/);
        return true;
      });
    });

    it("stops a build that is cancelled", async () => {
      const stop = new AbortController();
      const files = { Dockerfile: `FROM ${shellImage}\nRUN echo begun; sleep 600\n` };
      const { result, output } = await build(files, stop.signal);
      await Promise.race([result, until("the step runs", () => output().includes("begun"))]);
      stop.abort(new Error("cancelled by a person"));
      await assert.rejects(result, /cancelled by a person/);
    });

    it("refuses what it does not know", async () => {
      await assert.rejects(buildkit.client.call("/moby.buildkit.v1.Control/Nothing", new Uint8Array()), { code: 12 });
    });

    it("fails each call if the connection is lost", async () => {
      const { result, output } = await build({ Dockerfile: `FROM ${shellImage}\nRUN echo begun; sleep 600\n` });
      await Promise.race([result, until("the step runs", () => output().includes("begun"))]);
      buildkit.close();
      await assert.rejects(result, { name: "GrpcError", code: 14 });
      await assert.rejects(askWorkers(buildkit.client), { name: "GrpcError", code: 14 });
    });
  });

describe("A gRPC call", () => {
  it("fails if the other side is no gRPC server", async () => {
    const dir = await tempDir();
    const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    server.listen(`${dir.path}/s`);
    await once(server, "listening");
    const buildkit = await connectBuildKit({ url: `unix://${dir.path}/s`, tls: null });
    await assert.rejects(askWorkers(buildkit.client), { name: "GrpcError", code: 14 });
    buildkit.close();
    server.close();
    await dir.remove();
  });

  it("ends with the signal's reason, also before it began", async () => {
    const client = new GrpcClient(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }));
    const stop = new AbortController();
    const waiting = client.call("/a/B", new Uint8Array(), stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(client.call("/a/B", new Uint8Array(), stop.signal), /enough/);
    client.close();
  });
});

function grpcSocket(docker: Dockerode): Promise<Duplex> {
  const options = {
    method: "POST",
    path: "/grpc",
    hijack: true,
    headers: { Upgrade: "h2c" },
    statusCodes: { 101: true },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(options, (error: unknown, socket: unknown) =>
      error ? reject(error) : resolve(socket as Duplex),
    );
  });
}
