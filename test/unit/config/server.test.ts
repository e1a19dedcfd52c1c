// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration has references of that form
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadServerConfig, secretsOf } from "../../../src/config/server.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { tempDir } from "../../support/process.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
before(async () => {
  dir = await tempDir();
});
after(() => dir.remove());

/** Everything that has to be there, and what a test adds. */
const HOSTS = "hosts: { github: { type: github, webhookSecret: s3cret } }";
const REPOS = "repos: [acme/*]";
async function load(yaml: string, env: Record<string, string> = {}) {
  const path = join(dir.path, "deliverd.yml");
  await writeFile(path, yaml);
  return loadServerConfig({ path, env });
}
const minimal = (...lines: string[]) => [HOSTS, REPOS, ...lines].join("\n");
/** The problems of a file, without the directory it lies in. */
async function problems(yaml: string, env: Record<string, string> = {}): Promise<string[]> {
  const error: unknown = await load(yaml, env).then(
    () => assert.fail("no problem was found"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.message.replaceAll(`${dir.path}/`, "").split("\n");
}

describe("the server's configuration file", () => {
  it("needs no more than a host with its secret and the repos", async () => {
    const { dataDir, ...config } = await load(minimal());
    assert.match(dataDir, /^\/.*\/data$/);
    assert.deepEqual(config, {
      publicUrl: "http://localhost:8080",
      port: 8080,
      workerPort: 8081,
      redisUrl: null,
      databaseUrl: null,
      docker: {
        socket: "/var/run/docker.sock",
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
        },
      },
      registries: {},
      notices: [],
      repos: [{ match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} }],
      adminToken: null,
      anonymous: "none",
      disk: { max: 20e9 },
      workers: { slots: 2 },
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
      socket: "/run/d.sock",
      intake: null,
      limits: { memory: 512e6, cpus: 1.5 },
      buildTimeout: 7_200_000,
      network: "host",
    });
  });

  it("finds the engine by DOCKER_HOST where it names none", async () => {
    const config = await load(minimal(), { DOCKER_HOST: "unix:///run/user/docker.sock" });
    assert.equal(config.docker.socket, "/run/user/docker.sock");
    assert.deepEqual(await problems(minimal(), { DOCKER_HOST: "tcp://10.0.0.1:2375" }), [
      "environment: DOCKER_HOST: found no unix socket; expected unix:///path/to/docker.sock, or docker.socket in the configuration file",
    ]);
  });

  it("clones from the very host of a GitHub Enterprise API", async () => {
    const url = "https://ghe.example.com/api/v3";
    const config = await load(`hosts: { ghe: { type: github, apiUrl: "${url}", webhookSecret: x } }\n${REPOS}`);
    assert.equal(config.hosts.ghe?.cloneUrl, "https://ghe.example.com");
  });

  it("is found by DELIVERD_CONFIG, and by a path before that", async () => {
    await load(minimal("port: 1234"));
    const path = join(dir.path, "deliverd.yml");
    assert.equal(loadServerConfig({ env: { DELIVERD_CONFIG: path } }).port, 1234);
    assert.equal(loadServerConfig({ path, env: { DELIVERD_CONFIG: "/nowhere" } }).port, 1234);
    assert.throws(() => loadServerConfig({ env: { DELIVERD_CONFIG: "/nowhere" } }), {
      code: "config-unreadable",
      message: /^\/nowhere: the configuration file cannot be read \(ENOENT\)/,
    });
  });

  describe("with ${…} in a value", () => {
    it("takes variables and files, whole or in part", async () => {
      await writeFile(join(dir.path, "secret"), "from the file\n");
      const config = await load(
        `hosts: { github: { type: github, webhookSecret: "\${file:${dir.path}/secret}", token: "a-\${T}-z" } }\n${REPOS}`,
        { T: "$1 # \n: {x: y}" },
      );
      assert.deepEqual(
        [config.hosts.github?.webhookSecret, config.hosts.github?.token],
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

  const wrong: [title: string, yaml: string, ...expected: string[]][] = [
    [
      "a key it does not know",
      minimal("prot: 80"),
      '3: prot: "prot" is no key here (did you mean "port"?); known are publicUrl, port, workerPort, dataDir, redisUrl, databaseUrl, docker, grace, hosts, registries, notices, repos, adminToken, anonymous, disk, workers, prepare',
    ],
    ["no repos", HOSTS, "1: repos: left out; expected the list of repos that may be delivered, such as [acme/*]"],
    [
      "an empty list of repos",
      `${HOSTS}\nrepos: []`,
      "2: repos: found an empty list; expected at least one repo, such as acme/*",
    ],
    [
      "no host",
      REPOS,
      "1: hosts: left out; expected a map of git hosts, such as github: { type: github, webhookSecret: … }",
    ],
    [
      "a host without a webhook secret",
      `${REPOS}\nhosts:\n  github:\n    type: github`,
      "3: hosts.github.webhookSecret: left out; expected a secret text, best as ${NAME} or ${file:/path}",
    ],
    [
      "an empty webhook secret",
      `${REPOS}\nhosts: { github: { type: github, webhookSecret: "" } }`,
      "2: hosts.github.webhookSecret: found a text (not shown); expected a secret text, best as ${NAME} or ${file:/path}",
    ],
    [
      "several default registries",
      minimal(
        "registries:",
        '  a: { type: oci, url: "http://a", default: true }',
        '  b: { type: oci, url: "http://b", default: true }',
      ),
      "3: registries: found a map; expected at most one registry with default: true",
    ],
    [
      "credentials in a URL",
      minimal("registries:", '  a: { type: oci, url: "http://me:hunter2@a" }'),
      "4: registries.a.url: found a text (not shown); expected a URL without credentials; put them under username and password, or token",
    ],
    [
      "a username without its password",
      minimal("registries: { a: { type: oci, url: http://a, username: me } }"),
      "3: registries.a.password: left out; expected both username and password, or neither",
    ],
    [
      "a type it does not know",
      minimal("registries: { a: { type: dockerhub } }"),
      '3: registries.a.type: found "dockerhub"; expected one of docker-hub, oci, ecr, artifactory, codeartifact, pypi, npm, maven, http, ami (did you mean "docker-hub"?)',
    ],
    [
      "an account number that YAML took for a number",
      minimal("registries: { a: { type: ecr, region: x, account: 123456789012 } }"),
      "3: registries.a.account: found 123456789012; expected a text; put it in quotes",
    ],
    [
      "a number where a duration stands",
      minimal("grace: 8"),
      "3: grace: found 8; expected a duration, such as 500ms, 8s, 10m or 6h",
    ],
    [
      "a port there is none of",
      minimal("port: 70000"),
      "3: port: found 70000; expected a whole number from 0 to 65535",
    ],
    [
      "another word",
      minimal("anonymous: veiwer"),
      '3: anonymous: found "veiwer"; expected none or viewer (did you mean "viewer"?)',
    ],
    [
      "an entry's registry that is not configured",
      `${HOSTS}\nrepos:\n  - a/b\n  - { match: acme/api, registries: [hbu] }\nregistries: { hub: { type: docker-hub, username: a, password: b } }`,
      '4: repos[1].registries[0]: found "hbu"; expected a key of registries (did you mean "hub"?): hub',
    ],
    [
      "one repo twice",
      `${HOSTS}\nrepos: [acme/api, Acme/API]`,
      '2: repos[1]: found "Acme/API"; expected each repo once; Acme/API stands above too',
    ],
    [
      "a repo without its owner",
      `${HOSTS}\nrepos:\n  - acme/a\n  - "*"`,
      '4: repos[1]: found "*"; expected a repo as owner/name, owner/* or */*, with the host\'s key before it where you like',
    ],
    [
      "a mistyped key of an entry",
      `${HOSTS}\nrepos:\n  - match: acme/a\n    branchs: [main]`,
      '4: repos[0].branchs: "branchs" is no key here (did you mean "branches"?); known are match, branches, tags, ci, registries, secrets',
    ],
    ["a key twice", minimal("port: 1", "port: 2"), "4: port: this key stands here twice"],
    [
      "nothing at all",
      "",
      " empty; expected a map of publicUrl, port, workerPort, dataDir, redisUrl, databaseUrl, docker, grace, hosts, registries, notices, repos, adminToken, anonymous, disk, workers, prepare",
    ],
  ];
  for (const [title, yaml, ...expected] of wrong) {
    it(`is refused with ${title}`, async () => {
      assert.deepEqual(
        await problems(yaml),
        expected.map((line) => `deliverd.yml:${line}`),
      );
    });
  }

  it("is told of every problem at once, by their lines", async () => {
    const found = await problems("port: x\nrepos: []\ngrace: 1\n");
    assert.deepEqual(
      found.map((line) => line.split(": ").slice(0, 2).join(" ")),
      ["deliverd.yml:1 port", "deliverd.yml:1 hosts", "deliverd.yml:2 repos", "deliverd.yml:3 grace"],
    );
  });

  it("never shows a secret in what it says", async () => {
    const leaks = [
      "adminToken: *hunter2",
      "adminToken: !hunter2 x",
      "adminToken: [hunter2]",
      "adminToken: @hunter2",
      'adminToken: "hunter2',
      'adminToken: "\\q hunter2"',
      "adminToken: hunter2: x",
      "redisUrl: ftp://x:hunter2@y",
      "databaseUrl: hunter2",
      "notices: [{ type: webhook, url: http://a, secret: hunter2 }]",
      "registries: { a: { type: npm, token: { a: hunter2 } } }",
      "registries: { a: { type: oci, url: 'user:hunter2@host' } }",
      "repos: [{ match: a, secrets: { A: [hunter2] } }]",
      "publicUrl: ${T}",
      "port: ${T}",
    ];
    for (const line of leaks) {
      const found = await problems(`${HOSTS}\n${line}`, { T: "hunter2" });
      assert.ok(!found.join("\n").includes("hunter2"), found.join("\n"));
    }
  });

  it("gives up every secret for masking", async () => {
    const config = await load(
      [
        "hosts: { github: { type: github, webhookSecret: s1, token: s2 } }",
        "registries:",
        "  hub: { type: docker-hub, username: u, password: s3 }",
        "  npm: { type: npm, token: s4 }",
        "  open: { type: oci, url: http://a }",
        "notices: [{ type: webhook, url: http://a, secret: whsec_czU= }]",
        "repos: [{ match: a/b, secrets: { X: s6 } }]",
        "adminToken: s7",
        "redisUrl: redis://:s8%21@r",
        "databaseUrl: postgres://u:s9@d/x",
      ].join("\n"),
    );
    assert.deepEqual(secretsOf(config).sort(), [
      "s1",
      "s2",
      "s3",
      "s4",
      "s6",
      "s7",
      "s8!",
      "s8%21",
      "s9",
      "whsec_czU=",
    ]);
  });
});

describe("the environment alone", () => {
  it("configures one GitHub host, one registry and the repos", () => {
    const config = loadServerConfig({
      env: {
        GITHUB_TOKEN: "t",
        GITHUB_WEBHOOK_SECRET: "s",
        GITHUB_API_URL: "http://127.0.0.1:1/api/v3",
        GITHUB_CLONE_URL: "http://127.0.0.1:2",
        DELIVERD_REGISTRY: "http://127.0.0.1:5000",
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
      },
    });
    assert.deepEqual(config.registries, {
      default: { type: "oci", url: "http://127.0.0.1:5000", username: "u", password: "p", default: true, shared: [] },
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
