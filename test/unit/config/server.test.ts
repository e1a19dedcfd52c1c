// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration has references of that form
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { loadServerConfig, secretsOf } from "../../../src/config/server.ts";
import { minimal, REPOS, serverFile } from "./server-file.ts";

describe("the server's configuration file", () => {
  const { path, load, problems } = serverFile();

  it("needs no more than a host with its secret and the repos", async () => {
    const { dataDir, ...config } = await load(minimal());
    assert.match(dataDir, /^\/.*\/data$/);
    assert.deepEqual(config, {
      publicUrl: "http://localhost:8080",
      port: 8080,
      trustProxy: null,
      workerPort: 8081,
      redisUrl: null,
      databaseUrl: null,
      docker: {
        ...{ kind: "auto", url: null, tls: null },
        socket: null,
        intake: null,
        limits: { memory: null, cpus: null },
        buildTimeout: 3_600_000,
        network: null,
      },
      grace: 8_000,
      hosts: {
        github: {
          type: "github",
          apiUrl: "https://api.github.com",
          cloneUrl: "https://github.com",
          webhookSecret: "s3cret",
          token: null,
          app: null,
        },
      },
      registries: {},
      notices: [],
      repos: [{ match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} }],
      adminToken: null,
      access: { tokens: [] },
      anonymous: "none",
      disk: { max: 20e9 },
      workers: { slots: 2 },
      proof: { key: null, previousKey: null, awsKms: null },
      prepare: "eager",
    });
  });

  it("takes durations, sizes, numbers and URLs as people write them", async () => {
    const config = await load(
      minimal(
        "publicUrl: https://d.example.com/",
        'port: "9000"',
        "grace: 500ms",
        "disk: { max: 1.5GiB }",
        "docker: { socket: /run/d.sock, limits: { memory: 512MB, cpus: 1.5 }, buildTimeout: 2h, network: host }",
      ),
    );
    assert.deepEqual(
      [config.publicUrl, config.port, config.grace, config.disk.max],
      ["https://d.example.com", 9000, 500, 1.5 * 2 ** 30],
    );
    assert.deepEqual(config.docker, {
      ...{ kind: "auto", url: null, tls: null },
      socket: "/run/d.sock",
      intake: null,
      limits: { memory: 512e6, cpus: 1.5 },
      buildTimeout: 7_200_000,
      network: "host",
    });
  });

  it("names a BuildKit with its certificates, and keeps the key secret", async () => {
    const pem = (name: string) => `"-----BEGIN ${name}-----\\nc4n4ry-${name}\\n-----END ${name}-----"`;
    const tls = `{ ca: ${pem("CERTIFICATE")}, cert: ${pem("CERTIFICATE")}, key: ${pem("PRIVATE KEY")} }`;
    const config = await load(minimal(`docker: { kind: buildkit, url: "tcp://builder:1234", tls: ${tls} }`));
    assert.deepEqual([config.docker.kind, config.docker.url], ["buildkit", "tcp://builder:1234"]);
    assert.ok(secretsOf(config).some((secret) => secret.includes("c4n4ry-PRIVATE KEY")));
  });

  it("leaves the engine to DOCKER_HOST where it names no socket", async () => {
    const config = await load(minimal(), { DOCKER_HOST: "tcp://10.0.0.1:2375" });
    assert.equal(config.docker.socket, null);
  });

  it("clones from the very host of a GitHub Enterprise API", async () => {
    const url = "https://ghe.example.com/api/v3";
    const config = await load(`hosts: { ghe: { type: github, apiUrl: "${url}", webhookSecret: x } }\n${REPOS}`);
    assert.equal(config.hosts.ghe?.cloneUrl, "https://ghe.example.com");
  });

  it("is found by DELIVERD_CONFIG, and by a path before that", async () => {
    await load(minimal("port: 1234"));
    assert.equal(loadServerConfig({ env: { DELIVERD_CONFIG: path() } }).port, 1234);
    assert.equal(loadServerConfig({ path: path(), env: { DELIVERD_CONFIG: "/nowhere" } }).port, 1234);
    assert.throws(() => loadServerConfig({ env: { DELIVERD_CONFIG: "/nowhere" } }), {
      code: "config-unreadable",
      message: /^\/nowhere: the configuration file cannot be read \(ENOENT\)/,
    });
  });

  describe("with ${…} in a value", () => {
    it("takes variables and files, whole or in part", async () => {
      await writeFile(path("secret"), "from the file\n");
      const config = await load(
        `hosts: { github: { type: github, webhookSecret: "\${file:${path("secret")}}" } }\n${REPOS}\nadminToken: "a-\${T}-z"`,
        { T: "$1 # \n: {x: y}" },
      );
      assert.deepEqual(
        [config.hosts.github?.webhookSecret, config.adminToken],
        ["from the file", "a-$1 # \n: {x: y}-z"],
      );
    });

    it("never lets what is put in become another key or another reference", async () => {
      const config = await load(minimal('adminToken: "${T}"'), { T: "${OTHER}\nanonymous: viewer" });
      assert.equal(config.adminToken, "${OTHER}\nanonymous: viewer");
      assert.equal(config.anonymous, "none");
    });

    it("names what is missing, and where, once", async () => {
      const text = [
        "hosts:",
        "  github:",
        "    type: github",
        '    webhookSecret: "${NONE}"',
        '    token: "${file:/none}"',
        REPOS,
      ];
      assert.deepEqual(await problems([...text, 'adminToken: "${a b}"'].join("\n")), [
        "deliverd.yml:4: hosts.github.webhookSecret: the environment variable NONE is not set; set it where deliverd starts",
        "deliverd.yml:5: hosts.github.token: the file /none cannot be read (ENOENT); expected a file that holds the value",
        "deliverd.yml:7: adminToken: found a reference that cannot be read; expected ${NAME} or ${file:/path}",
      ]);
    });
  });

  it("gives up every secret for masking", async () => {
    const config = await load(
      [
        "hosts:",
        "  github: { type: github, webhookSecret: s1, token: s2 }",
        "  git:",
        "    type: generic",
        "    cloneUrl: https://git.example.com/{owner}/{name}.git",
        "    webhookSecret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
        "    reportUrl: https://chat.example.com/hooks/report-token-00001",
        "registries:",
        "  hub: { type: docker-hub, username: u, password: s3 }",
        "  npm: { type: npm, token: s4 }",
        "  open: { type: oci, url: http://a }",
        "notices: [{ type: webhook, url: http://a/services/path-token-00001?key=query-token-00001, secret: whsec_czU= }]",
        "repos: [{ match: a/b, secrets: { X: s6 } }]",
        "adminToken: s7",
        "redisUrl: redis://:s8%21@r?password=s8-query",
        "databaseUrl: postgres://u:s9@d/x?password=s9-query",
      ].join("\n"),
    );
    assert.deepEqual(secretsOf(config).sort(), [
      "path-token-00001",
      "query-token-00001",
      "report-token-00001",
      "s1",
      "s2",
      "s3",
      "s4",
      "s6",
      "s7",
      "s8!",
      "s8%21",
      "s8-query",
      "s9",
      "s9-query",
      "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
      "whsec_czU=",
    ]);
  });
});
