// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration has references of that form
import assert from "node:assert/strict";
import { HOSTS, minimal, REPOS, serverFile } from "./server-file.ts";

describe("an invalid server configuration file", () => {
  const { problems } = serverFile();

  const wrong: [title: string, yaml: string, ...expected: string[]][] = [
    [
      "a key it does not know",
      minimal("prot: 80"),
      '3: prot: "prot" is not a key here (did you mean "port"?); known are publicUrl, port, workerPort, trustProxy, dataDir, redisUrl, databaseUrl, docker, grace, hosts, registries, notices, repos, proof, adminToken, access, anonymous, disk, workers, prepare',
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
      "2: hosts.github.webhookSecret: found an empty text; expected a secret text, best as ${NAME} or ${file:/path}",
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
      '2: repos[1]: found "Acme/API"; expected each repo once; Acme/API is above already',
    ],
    [
      "a repo without its owner",
      `${HOSTS}\nrepos:\n  - acme/a\n  - "*"`,
      '4: repos[1]: found "*"; expected a repo as owner/name, owner/*, owner/** or */*, optionally with the host\'s key before it',
    ],
    [
      "a mistyped key of an entry",
      `${HOSTS}\nrepos:\n  - match: acme/a\n    branchs: [main]`,
      '4: repos[0].branchs: "branchs" is not a key here (did you mean "branches"?); known are match, branches, tags, ci, registries, secrets',
    ],
    [
      "an entry whose ci asks for nothing",
      `${HOSTS}\nrepos:\n  - { match: acme/a, ci: {} }`,
      "3: repos[0].ci: found a map; expected required, apps, or both",
    ],
    [
      "an app that is no slug",
      `${HOSTS}\nrepos:\n  - { match: acme/a, ci: { apps: ["GitHub Actions"] } }`,
      '3: repos[0].ci.apps[0]: found "GitHub Actions"; expected the slug of an app, such as github-actions',
    ],
    ["a key twice", minimal("port: 1", "port: 2"), "4: port: this key is here twice"],
    [
      "nothing at all",
      "",
      " empty; expected a map of publicUrl, port, workerPort, trustProxy, dataDir, redisUrl, databaseUrl, docker, grace, hosts, registries, notices, repos, proof, adminToken, access, anonymous, disk, workers, prepare",
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
      "notices: [{ type: webhook, url: htp://hooks.example.com/services/T0/hunter2 }]",
      "notices: [{ type: webhook, url: [https://hooks.example.com/hunter2] }]",
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
    const report = await problems(
      "hosts: { g: { type: generic, reportUrl: 'htp://h.example.com/hunter2' } }\nrepos: [a/b]",
    );
    assert.match(report.join("\n"), /reportUrl: found a text \(not shown\)/);
    assert.ok(!report.join("\n").includes("hunter2"), report.join("\n"));
  });
});
