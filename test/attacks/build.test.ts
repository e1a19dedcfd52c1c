import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import tar from "tar-stream";
import { UserError } from "../../src/delivery/errors.ts";
import { importShell, orderOf, readFrozen, shellImage, startYard, type Yard } from "../support/engine/image-builds.ts";
import { testRun } from "../support/fixtures/run.ts";
import { startRegistry, type TestRegistry } from "../support/registries/docker-registry.ts";

/** A registry that wants a password and writes down whatever it is given. */
async function startSink() {
  const heard: { url: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    heard.push({ url: request.url ?? "", authorization: request.headers.authorization });
    response.writeHead(401, { "WWW-Authenticate": 'Basic realm="sink"', "Content-Type": "application/json" });
    response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    heard,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

for (const installation of ["buildkit", "classic"] as const) {
  describe(`A hostile image build (${installation})`, function () {
    this.timeout(60_000);
    let yard: Yard;
    let registry: TestRegistry;
    let sink: Awaited<ReturnType<typeof startSink>>;
    before(async () => {
      process.env.DELIVERD_CANARY = "canary-of-the-daemon";
      yard = await startYard({ own: true, env: { ENGINE_CANARY: "canary-of-the-engine" } });
      registry = await startRegistry({ auth: "htpasswd" });
      sink = await startSink();
      await pushShell();
    });
    after(async () => {
      delete process.env.DELIVERD_CANARY;
      await sink.stop();
      await registry.stop();
      await yard.stop();
    });
    afterEach(() => {
      sink.heard.length = 0;
    });

    async function pushShell() {
      const { docker } = yard.engine;
      const name = `${registry.host}/team/base`;
      await importShell(docker, `${name}:1`);
      const { username, password } = registry;
      const answer = await docker
        .getImage(name)
        .push({ tag: "1", authconfig: { username, password, serveraddress: registry.host } });
      for await (const _ of answer);
      await docker.getImage(`${name}:1`).remove();
    }

    const builder = () =>
      yard.builder({
        installation,
        registryAuth: (host) =>
          host === registry.host ? { username: registry.username, password: registry.password } : null,
      });
    const build = (dockerfile: string, run = testRun(), more = {}) =>
      builder().build(orderOf({ Dockerfile: dockerfile }, more), run);

    it("can use a private base image of the registry whose login is configured", async () => {
      const { bases } = await build(`FROM ${registry.host}/team/base:1\nRUN true\n`);
      const digest = bases[0]?.digest ?? "";
      const standing = await fetch(`${registry.url}/v2/team/base/manifests/${digest}`, {
        headers: {
          authorization: `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString("base64")}`,
          accept: "application/vnd.docker.distribution.manifest.v2+json",
        },
      });
      assert.equal(standing.status, 200);
    });

    const lookalikes: [string, (port: number) => string][] = [
      ["a base on another port of the same host", (port) => `FROM 127.0.0.1:${port}/team/base:1\n`],
      ["a base on another name of the same host", (port) => `FROM localhost:${port}/team/base:1\n`],
      [
        "an image to copy from",
        (port) => `FROM ${shellImage}\nCOPY --from=127.0.0.1:${port}/team/base:1 /bin/busybox /x\n`,
      ],
      [
        "a base that only the engine can resolve",
        (port) => `ARG A=127.0.0.1\nFROM \${NONE:-\${A}:${port}/team/base:1}\n`,
      ],
      ["a file by URL", (port) => `FROM ${shellImage}\nADD http://127.0.0.1:${port}/file /file\n`],
      ...(installation === "buildkit"
        ? ([["a frontend", (port: number) => `# syntax=127.0.0.1:${port}/front:1\nFROM ${shellImage}\n`]] as [
            string,
            (port: number) => string,
          ][])
        : []),
    ];
    for (const [what, dockerfileAt] of lookalikes) {
      it(`gets no password sent to a lookalike host through ${what}`, async () => {
        await build(`FROM ${registry.host}/team/base:1\nRUN true\n`);
        await assert.rejects(build(dockerfileAt(sink.port)));
        assert.ok(sink.heard.length > 0, "the sink was never asked");
        assert.deepEqual(
          sink.heard.filter(({ authorization }) => authorization !== undefined),
          [],
        );
      });
    }

    it("finds no credential, no engine socket and nothing of the daemon's environment", async () => {
      const run = testRun();
      const look = [
        "env",
        "cat /proc/self/environ /proc/1/environ",
        "find / -xdev -type s",
        "ls -a /root /var/run /run /run/secrets /var/lib/docker /kaniko",
        "grep -r -i -e canary -e password -e auths --exclude-dir=proc --exclude-dir=sys / ",
        "ls /proc",
      ].map((command) => `RUN ${command} 2>&1 || true`);
      await build(`FROM ${registry.host}/team/base:1\n${look.join("\n")}\n`, run, {
        args: { DELIVERD_VERSION: "canary-undeclared" },
      });
      // The log also shows the commands themselves.
      const seen = run
        .text()
        .split("\n")
        .filter((line) => !/RUN |^ ---> /.test(line))
        .join("\n");
      assert.match(seen, /PATH=/);
      for (const secret of [/canary/, new RegExp(registry.password), /\.sock$/m, /DELIVERD_/, /DOCKER_/])
        assert.doesNotMatch(seen, secret);
      const pids = seen.split("\n").filter((line) => /^\d+$/.test(line));
      assert.ok(pids.length < 10, `it sees the processes ${pids}`);
    });

    it("reads no file of the machine through a link in its context", async () => {
      const openContext = async () => {
        const pack = tar.pack();
        pack.entry({ name: "Dockerfile", type: "symlink", linkname: "/etc/passwd" });
        pack.entry({ name: "up", type: "symlink", linkname: "../../../../../../etc/passwd" });
        pack.finalize();
        return pack.pipe(new PassThrough());
      };
      const run = testRun();
      await assert.rejects(build("FROM scratch\n", run, { openContext }), (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.doesNotMatch(error.message + run.text(), /root:x:0/);
        return true;
      });
    });

    it("cannot pass itself off as another commit by its own labels", async () => {
      const revision = "org.opencontainers.image.revision";
      const labels = { [revision]: "a".repeat(40) };
      const { digest } = await build(`FROM ${shellImage}\nLABEL ${revision}=${"b".repeat(40)}\n`, testRun(), {
        labels,
      });
      assert.equal((await readFrozen(yard.store, digest)).config.Labels[revision], "a".repeat(40));
    });

    it("fails and freezes nothing if its image exceeds the size limit", async () => {
      const dockerfile = `FROM ${shellImage}\nRUN dd if=/dev/urandom of=/big bs=1M count=8\n`;
      const build = yard
        .builder({ installation, maxBytes: 4_000_000 })
        .build(orderOf({ Dockerfile: dockerfile }), testRun());
      await assert.rejects(build, { name: "UserError", code: "image-too-large" });
    });
  });
}
