import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LintReport } from "../../../../src/cli/lint/report.ts";
import { useLedger } from "../../../support/databases/ledgers.ts";
import { tempDir } from "../../../support/processes/process.ts";
import { startApi, TOKEN } from "../../api/support.ts";
import { deliverd, type TestCheckout, testCheckout } from "./support.ts";

const image = (publish: string, more = "") =>
  `version: 1\nartifacts:\n  - name: api\n    kind: image\n${more}    publish: [${publish}]\n`;
const GOOD = image("{ to: local, as: acme/api }");
const SERVER = `hosts: { github: { type: github, webhookSecret: x } }
registries:
  local: { type: oci, url: "http://127.0.0.1:5000" }
  other: { type: oci, url: "http://127.0.0.1:5001" }
repos:
  - { match: acme/api, branches: [stable], registries: [local] }
`;

describe("deliverd lint", () => {
  let checkout: TestCheckout;

  beforeEach(async () => {
    checkout = await testCheckout({ Dockerfile: "FROM scratch\n", ".deliverd.yml": GOOD });
  });
  afterEach(() => checkout.remove());

  async function lint(...args: string[]): Promise<LintReport & { code: number }> {
    const { code, stdout, stderr } = await deliverd(["lint", "--json", ...args], checkout.path);
    assert.equal(stderr, "");
    return { code, ...(JSON.parse(stdout) as LintReport) };
  }
  const places = ({ problems }: LintReport) => problems.map(({ file, line, key }) => `${file}:${line}: ${key}`);

  it("shows a hostile file as plain text, on a terminal and as JSON, and so does build", async () => {
    const steering = "\u001b]0;owned\u0007\u009b31m\u202egnp\u2066";
    const to = JSON.stringify(steering);
    await checkout.commit({
      ".deliverd.yml": `version: 1\nartifacts: [{ name: x, kind: image, publish: [{ to: ${to}, as: "a/{x\u202e}" }] }]\n`,
    });
    await writeFile(join(checkout.path, "server.yml"), SERVER);
    for (const args of [["lint"], ["lint", "--json"], ["build"]]) {
      const { code, stdout, stderr } = await deliverd([...args, "--config", "server.yml"], checkout.path);
      assert.equal(code, 1, stderr);
      assert.match(stdout + stderr, /artifacts\[0\]\.publish\[0\]\.to/);
      assert.doesNotMatch(stdout + stderr, /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u, args.join(" "));
    }
  });

  it("tells one problem by one line, whatever a name in the file holds", async () => {
    const name = JSON.stringify(`x\nDockerfile:1: forged`);
    await checkout.commit({
      ".deliverd.yml": `version: 1\nartifacts: [{ name: ${name}, kind: image, publish: [{ to: ${name}, as: a/b }] }]\n`,
    });
    await writeFile(join(checkout.path, "server.yml"), SERVER);
    const { stdout } = await deliverd(["lint", "--config", "server.yml"], checkout.path);
    const problems = stdout.split("\n\n")[0]?.split("\n") ?? [];
    assert.deepEqual(
      problems.map((line) => line.split(": ", 2).join(": ")),
      [".deliverd.yml:2: artifacts[0].name", ".deliverd.yml:2: artifacts[0].publish[0].to"],
    );
  });

  it("names the key that stands twice as plain text", async () => {
    await checkout.commit({ ".deliverd.yml": '"a\\e[31m\\u202e": 1\n"a\\e[31m\\u202e": 2\nversion: 1\n' });
    const { problems } = await lint();
    assert.deepEqual(
      problems.map(({ line, key }) => `${line}: ${key}`),
      ['2: "a\\u001b[31m\\u202e"'],
    );
  });

  it("finds every problem at once, each with file, line and key, and exits with 1", async () => {
    await checkout.commit({
      "api/Dockerfile": "FROM scratch AS build\nFROM scratch\nCOPY --from=biuld /a /b\n",
      "web/Dockerfile": "FROM scratch\nRUNN true\n",
      ".deliverd.yml": `version: 1
superseed: true
artifacts:
  - name: api
    kind: image
    dockerfile: api/Dockerfile
    context: apii
    paths: ["api/**", "nope/**"]
    publish:
      - { to: local, as: acme/api, tags: ["{verison}", latest] }
  - name: web
    kind: image
    dockerfile: web/Dockerfile
    publish:
      - { to: local, as: acme/api, tags: [latest] }
  - name: gone
    kind: image
    dockerfile: gone/Dockerfile
    publish: [{ to: local, as: acme/Gone }]
`,
    });
    const report = await lint();
    assert.equal(report.code, 1);
    assert.deepEqual(places(report), [
      ".deliverd.yml:2: superseed",
      ".deliverd.yml:7: artifacts[0].context",
      ".deliverd.yml:8: artifacts[0].paths[1]",
      ".deliverd.yml:10: artifacts[0].publish[0].tags[0]",
      ".deliverd.yml:15: artifacts[1].publish[0].tags[0]",
      ".deliverd.yml:18: artifacts[2].dockerfile",
      ".deliverd.yml:19: artifacts[2].publish[0].as",
      "api/Dockerfile:3: COPY",
      "web/Dockerfile:2: RUNN",
    ]);
    const text = report.problems.map((problem) => problem.text).join("\n");
    for (const word of ["supersede", "version", "build"]) assert.ok(text.includes(`did you mean "${word}"?`), text);
    assert.equal(report.preview, null);
  });

  it("prints the version and the names of HEAD where nothing is wrong, and exits with 0", async () => {
    await checkout.commit({});
    await checkout.git("tag", "v1.2.3");
    const sha = await checkout.commit({ "a.txt": "a" });
    const { code, stdout } = await deliverd(["lint"], checkout.path);
    const short = sha.slice(0, 7);
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `.deliverd.yml: no problem found

github/acme/api at ${short} (main): version 1.2.4-1.g${short}
  api (image)
    local: acme/api 1.2.4-1.g${short}
    local: acme/api sha-${short}
    local: acme/api main (moves)

Note: Registries and the rules of \`repos\` were not checked: name a server with --config or --server.
`,
    );
  });

  it("reads changed and new files before they are committed, and leaves the checkout as it is", async () => {
    await checkout.commit({ ".gitignore": "docker/\n" });
    await checkout.write({
      ".deliverd.yml": image("{ to: local, as: acme/api }", "    dockerfile: docker/Dockerfile\n"),
      "docker/Dockerfile": "FROM scratch\n",
    });
    const state = async () => [await checkout.git("status", "--porcelain"), await checkout.git("count-objects")];
    const before = await state();
    const report = await lint("docker");
    assert.deepEqual(places(report), [".deliverd.yml:5: artifacts[0].dockerfile"]);
    assert.match(report.problems[0]?.text ?? "", /in this working tree.*git ignores it/);
    assert.ok(report.notes.some((note) => note.includes("Files were changed since HEAD")));
    assert.deepEqual(await state(), before);
  });

  it("works before the first commit, and in a folder without git", async () => {
    assert.deepEqual((await lint()).problems, []);
    await rm(join(checkout.path, ".git"), { recursive: true });
    const report = await lint("--repo", "acme/web");
    assert.deepEqual([report.repo, report.code, report.preview], ["github/acme/web", 0, null]);
    assert.ok(report.notes.some((note) => note.includes("in no git checkout")));
  });

  it("checks the default pipeline where there is no file, and says where nothing would be delivered", async () => {
    await checkout.commit({ ".deliverd.yml": null });
    const withDockerfile = await lint();
    assert.deepEqual([withDockerfile.code, withDockerfile.file], [0, null]);
    await checkout.commit({ Dockerfile: null, "a.txt": "a" });
    const { code, problems } = await lint();
    assert.equal(code, 1);
    assert.match(problems[0]?.text ?? "", /no \.deliverd\.yml and no Dockerfile at the root.*deliverd init/);
  });

  it("holds the pipeline to the `repos` entry of a server's file", async () => {
    await checkout.commit({ ".deliverd.yml": image("{ to: lcoal, as: acme/api }, { to: other, as: acme/api }") });
    const dir = await tempDir();
    try {
      const config = join(dir.path, "deliverd.yml");
      await writeFile(config, SERVER);
      const bad = await lint("--config", config);
      assert.deepEqual(
        bad.problems.map(({ text }) => text.replace(/^.*?goes to /, "")),
        [
          '"lcoal", but this server has no such registry (did you mean "local"?). Known are local, other.',
          '"other", but the server allows acme/api only local.',
        ],
      );
      await checkout.commit({ ".deliverd.yml": GOOD });
      const good = await lint("--config", config);
      assert.deepEqual(good.problems, []);
      assert.deepEqual(good.preview?.unwatched, [
        "main: branch main is outside what the server allows acme/api: branch stable",
      ]);
      const foreign = await lint("--config", config, "--repo", "evil/api");
      assert.match(foreign.problems[0]?.text ?? "", /evil\/api is in no entry of repos/);
    } finally {
      await dir.remove();
    }
  });

  for (const [title, args] of [
    ["an unknown option", ["--sever"]],
    ["a folder that is not there", ["nowhere"]],
    ["a repo of another form", ["--repo", "api"]],
  ] as const) {
    it(`exits with 2 for ${title}`, async () => {
      const { code, stdout, stderr } = await deliverd(["lint", ...args], checkout.path);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.notEqual(stderr, "");
    });
  }
});

describe("deliverd lint with a server", () => {
  const suite = useLedger();

  it("holds the pipeline to what the server says, without a secret's value", async () => {
    const api = await startApi(suite.ledger);
    const checkout = await testCheckout({ Dockerfile: "FROM scratch\n" });
    try {
      await checkout.git("remote", "set-url", "origin", "https://github.com/acme/pay.git");
      await checkout.commit({ ".deliverd.yml": image("{ to: local, as: acme/pay }, { to: files, as: acme/pay }") });
      const env = { DELIVERD_TOKEN: TOKEN };
      const run = () => deliverd(["lint", "--json", "--server", api.url], checkout.path, env);
      const bad = JSON.parse((await run()).stdout) as LintReport;
      assert.deepEqual(
        bad.problems.map(({ key, text }) => [key, text.replace(/^.*?goes to /, "")]),
        [["artifacts[0].publish[1].to", '"files", but the server allows acme/pay only local.']],
      );
      await checkout.commit({ ".deliverd.yml": image("{ to: local, as: acme/pay }") });
      assert.deepEqual((JSON.parse((await run()).stdout) as LintReport).problems, []);
      const rules = await api.get("/api/v1/rules?repo=acme/pay");
      assert.match(rules.text, /NPM_READ/);
      assert.doesNotMatch(rules.text, /never shown/);
      // An owner may have slashes, so the host is what the server knows as one.
      const nested = await api.get("/api/v1/rules?repo=github/acme/sub/pay");
      assert.match(nested.text, /github\/acme\/sub\/pay is in no entry of repos/);
      for (const name of ["", "pay", "acme/..", "acme/a%20b"])
        assert.equal((await api.get(`/api/v1/rules?repo=${name}`)).status, 400, name);
      const denied = await deliverd(["lint", "--server", api.url], checkout.path);
      assert.deepEqual([denied.code, denied.stdout], [2, ""]);
      assert.match(denied.stderr, /Set DELIVERD_TOKEN/);
      assert.match((await deliverd(["lint", "--help"], checkout.path)).stdout, /DELIVERD_TOKEN +the token/);
    } finally {
      await checkout.remove();
      await api.close();
    }
  });

  it("says without a token that the names of secrets were not checked, where the server is open to all", async () => {
    const api = await startApi(suite.ledger, { anonymous: "viewer" });
    const build = "build: { image: alpine, run: [make], secrets: [OTHER] }";
    const checkout = await testCheckout({
      ".deliverd.yml": `version: 1\nartifacts: [{ name: api, kind: file, ${build}, files: a, publish: [{ to: files }] }]\n`,
    });
    try {
      const run = async (env = {}) =>
        JSON.parse((await deliverd(["lint", "--json", "--server", api.url], checkout.path, env)).stdout) as LintReport;
      const open = await run();
      assert.deepEqual(open.problems, []);
      assert.match(open.notes.join("\n"), /names of secrets were not checked: .*DELIVERD_TOKEN/);
      const known = await run({ DELIVERD_TOKEN: TOKEN });
      assert.match(known.problems.map(({ text }) => text).join("\n"), /OTHER/);
      assert.doesNotMatch(known.notes.join("\n"), /secrets/);
    } finally {
      await checkout.remove();
      await api.close();
    }
  });
});
