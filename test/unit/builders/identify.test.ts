import assert from "node:assert/strict";
import Dockerode from "dockerode";
import { identifyEngine } from "../../../src/builders/engine/identify.ts";
import { json, startScriptedServer } from "../../support/network/scripted-server.ts";

describe("The identity of an engine", () => {
  /** @param headers of its answer to _ping */
  async function identify(headers: Record<string, string>, version: object) {
    const server = await startScriptedServer(({ url }, response) =>
      url === "/_ping" ? json(response, 200, "OK", headers) : json(response, 200, version),
    );
    try {
      const { hostname, port } = new URL(server.url);
      const docker = new Dockerode({ host: hostname, port: Number(port), protocol: "http" });
      return await identifyEngine(docker, { env: { DOCKER_HOST: `tcp://${hostname}:${port}` } });
    } finally {
      await server.close();
    }
  }

  it("is Docker with its edition", async () => {
    assert.deepEqual(
      await identify(
        { server: "Docker/26.1.5 (linux)" },
        {
          Version: "26.1.5",
          ApiVersion: "1.45",
          Platform: { Name: "Docker Desktop 4.30.0" },
          Components: [{ Name: "Engine" }],
        },
      ),
      { kind: "Docker", version: "26.1.5", apiVersion: "1.45", edition: "Docker Desktop 4.30.0" },
    );
  });

  it("is Podman, whether its headers or its components say so", async () => {
    const podman = { kind: "Podman", version: "5.4.2", apiVersion: "1.41", edition: null };
    const version = { Version: "5.4.2", ApiVersion: "1.41", Platform: { Name: "linux/amd64/debian-13" } };
    assert.deepEqual(await identify({ "libpod-api-version": "5.4.2" }, version), podman);
    assert.deepEqual(await identify({ server: "Libpod/5.4.2 (linux)" }, version), podman);
    assert.deepEqual(await identify({}, { ...version, Components: [{ Name: "Podman Engine" }] }), podman);
  });
});
