import assert from "node:assert/strict";
import { loadServerConfig } from "../../../src/config/server.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";

describe("a configuration from environment variables alone", () => {
  it("configures one GitHub host, one registry and the repos", () => {
    const config = loadServerConfig({
      env: {
        GITHUB_TOKEN: "t",
        GITHUB_WEBHOOK_SECRET: "s",
        GITHUB_API_URL: "http://127.0.0.1:1/api/v3",
        GITHUB_CLONE_URL: "http://127.0.0.1:2",
        DELIVERD_REGISTRY: "http://127.0.0.1:5000",
        DELIVERD_REGISTRY_PUBLIC_URL: "https://registry.example.com/",
        DELIVERD_REGISTRY_USERNAME: "u",
        DELIVERD_REGISTRY_PASSWORD: "p",
        DELIVERD_REPOS: "acme/api, acme/web,",
        DELIVERD_DATA_DIR: "/srv/d",
        DELIVERD_PUBLIC_URL: "https://d.example.com",
        DELIVERD_ADMIN_TOKEN: "a",
        PORT: "0",
      },
    });
    assert.deepEqual(config.hosts, {
      github: {
        type: "github",
        apiUrl: "http://127.0.0.1:1/api/v3",
        cloneUrl: "http://127.0.0.1:2",
        webhookSecret: "s",
        token: "t",
        app: null,
      },
    });
    assert.deepEqual(config.registries, {
      default: {
        type: "oci",
        url: "http://127.0.0.1:5000",
        username: "u",
        password: "p",
        ca: null,
        checkRepository: null,
        proof: "referrers",
        default: true,
        shared: [],
        publicUrl: "https://registry.example.com",
      },
    });
    assert.deepEqual(
      config.repos.map(({ match }) => match),
      ["acme/api", "acme/web"],
    );
    assert.deepEqual(
      [config.dataDir, config.publicUrl, config.adminToken, config.port],
      ["/srv/d", "https://d.example.com", "a", 0],
    );
  });

  it("is told by the names of its variables what is missing", () => {
    assert.throws(
      () => loadServerConfig({ env: { GITHUB_WEBHOOK_SECRET: "", DELIVERD_REGISTRY_USERNAME: "u" } }),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.message.split("\n").map((line) => line.split(";")[0]),
          [
            "environment: GITHUB_WEBHOOK_SECRET: left out",
            "environment: DELIVERD_REGISTRY: left out",
            "environment: DELIVERD_REPOS: left out",
            "Set these variables, or name a configuration file with --config or DELIVERD_CONFIG.",
          ],
        );
        return true;
      },
    );
  });
});
