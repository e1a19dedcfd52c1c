import assert from "node:assert/strict";
import { SharedTasks } from "../../../src/builders/engine/shared-tasks.ts";
import { chooseInstallation, connectEngine } from "../../../src/builders/engine.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";

/** What docker-modem made of it; its types do not tell. */
function reached(options: Parameters<typeof connectEngine>[0]) {
  const { socketPath, host, port, protocol } = connectEngine(options).modem as unknown as Record<string, unknown>;
  return { socketPath, host, port, protocol };
}
const nowhere = { host: undefined, port: undefined, protocol: "http" };

describe("the connection to the engine", () => {
  it("takes the configured socket before DOCKER_HOST", () => {
    const env = { DOCKER_HOST: "tcp://127.0.0.1:2375" };
    // docker-modem reads the process's own environment besides what it is told.
    process.env.DOCKER_HOST = env.DOCKER_HOST;
    try {
      assert.deepEqual(reached({ socket: "/run/one.sock", env }), { ...nowhere, socketPath: "/run/one.sock" });
    } finally {
      delete process.env.DOCKER_HOST;
    }
  });

  it("takes a socket or a TCP address from DOCKER_HOST, else Docker's own socket", () => {
    assert.deepEqual(reached({ env: { DOCKER_HOST: "unix:///run/d.sock" } }), {
      ...nowhere,
      socketPath: "/run/d.sock",
    });
    for (const env of [{}, { DOCKER_HOST: "" }])
      assert.deepEqual(reached({ env }), { ...nowhere, socketPath: "/var/run/docker.sock" });
    const { host, port, protocol } = reached({ env: { DOCKER_HOST: "tcp://127.0.0.1:2375" } });
    assert.deepEqual([host, port, protocol], ["127.0.0.1", 2375, "http"]);
  });

  it("refuses an address that it cannot use, with the remedy (docker-host)", () => {
    for (const DOCKER_HOST of ["ssh://host", "nonsense", "tcp://host", "unix://"])
      assert.throws(() => connectEngine({ env: { DOCKER_HOST } }), {
        name: "ConfigError",
        code: "docker-host",
        message: /DOCKER_HOST is ".*": expected unix:/,
      });
    assert.throws(() => connectEngine({ env: { DOCKER_HOST: "tcp://h:2376", DOCKER_TLS_VERIFY: "1" } }), ConfigError);
  });
});

describe("the choice between BuildKit and the classic builder", () => {
  const facts = {
    product: "Docker" as const,
    version: "20.10.24",
    apiVersion: "1.41",
    platform: "linux/amd64",
    buildkit: true,
    bridge: true,
    honoursLimits: true,
    cpus: 2,
    store: "overlay2",
    containerd: false,
  };
  it("is BuildKit, unless limits are set or the engine lacks it", () => {
    const none = { memoryBytes: null, cpus: null };
    assert.equal(chooseInstallation(facts, none).installation, "buildkit");
    assert.equal(chooseInstallation(facts, { memoryBytes: 0, cpus: 0 }).installation, "buildkit");
    assert.equal(chooseInstallation(facts, { ...none, cpus: 2 }).installation, "classic");
    assert.equal(chooseInstallation(facts, { ...none, memoryBytes: 1e9 }).installation, "classic");
    assert.equal(chooseInstallation({ ...facts, buildkit: false }, none).installation, "classic");
    const podman = chooseInstallation({ ...facts, product: "Podman", version: "5.4.2", buildkit: false }, none);
    assert.deepEqual(podman, {
      installation: "classic",
      because: "Podman 5.4.2 builds by itself, and has no BuildKit",
    });
  });
});

describe("a task that several callers share", () => {
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

  it("runs once, and again after its end", async () => {
    const shared = new SharedTasks<number>();
    let count = 0;
    const work = async () => ++count;
    const { signal } = new AbortController();
    assert.deepEqual(await Promise.all([shared.join("a", signal, work), shared.join("a", signal, work)]), [1, 1]);
    assert.equal(await shared.join("a", signal, work), 2);
  });

  it("goes on when one caller aborts, and is stopped when the last one aborts", async () => {
    const shared = new SharedTasks<never>();
    const [one, other] = [new AbortController(), new AbortController()];
    let stopped = false;
    const begin = (signal: AbortSignal) => {
      signal.addEventListener("abort", () => {
        stopped = true;
      });
      return never(signal);
    };
    const waits = [shared.join("a", one.signal, begin), shared.join("a", other.signal, begin)];
    one.abort(new Error("one left"));
    await assert.rejects(waits[0] ?? assert.fail(), /one left/);
    assert.equal(stopped, false);
    other.abort(new Error("other left"));
    await assert.rejects(waits[1] ?? assert.fail(), /other left/);
    assert.equal(stopped, true);
  });
});
