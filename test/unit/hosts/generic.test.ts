import assert from "node:assert/strict";
import { inspect } from "node:util";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import { genericHost } from "../../../src/hosts/generic/host.ts";
import { hostTypes } from "../../../src/hosts/index.ts";
import { noTools } from "../../support/hosts/no-tools.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";

const SECRET = `whsec_${Buffer.alloc(24, 1).toString("base64")}`;
const CLONES = "https://git.example.com/{owner}/{name}.git";
const commit = {
  repo: { id: "git:acme/api", host: "git", owner: "acme", name: "api", defaultBranch: "main" },
  sha: "a".repeat(40),
};

describe("The cloneUrl of a generic host", () => {
  const problemOf = (cloneUrl: unknown) => {
    const read = hostTypes.schema.safeParse({ type: "generic", cloneUrl, webhookSecret: SECRET });
    return read.success ? null : read.error.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  };

  for (const url of [
    CLONES,
    "http://127.0.0.1:8080/scm/{owner}/{name}",
    "https://git.example.com/git/{name}/of/{owner}.git",
  ]) {
    it(`may be ${url}`, () => assert.equal(problemOf(url), null));
  }

  const wrong: [what: string, url: unknown, message: RegExp][] = [
    ["without a placeholder", "https://git.example.com/", /\{owner\} and \{name\} once each/],
    ["without {owner}", "https://git.example.com/{name}.git", /once each/],
    ["with {name} twice", "https://git.example.com/{owner}/{name}/{name}.git", /once each/],
    ["with another placeholder", "https://git.example.com/{owner}/{name}/{ref}.git", /once each/],
    ["with a placeholder in its host", "https://{owner}.example.com/{name}.git", /not in its host/],
    ["with a placeholder that becomes the host", "https://{owner}/{name}.git", /not in its host/],
    ["with a placeholder as its port", "https://git.example.com:{owner}/{name}.git", /a URL/],
    ["with a query", "https://git.example.com/{owner}/{name}.git?token=x", /without a query/],
    ["with credentials", "https://u:p@git.example.com/{owner}/{name}.git", /without credentials/],
    ["over ssh", "ssh://git@git.example.com/{owner}/{name}.git", /a URL, such as/],
    ["of a file", "file:///srv/git/{owner}/{name}.git", /a URL, such as/],
    ["that is no text", 7, /a URL/],
  ];
  for (const [what, url, message] of wrong) it(`is refused ${what}`, () => assert.match(problemOf(url) ?? "", message));
});

describe("A generic host", () => {
  const opened = (more: Partial<Parameters<typeof genericHost>[0]> = {}, tools = noTools) =>
    genericHost(
      { key: "git", cloneUrl: CLONES, username: null, token: null, webhookSecret: SECRET, reportUrl: null, ...more },
      tools,
    );

  for (const secret of ["", "whsec_", "whsec_c2hvcnQ=", "a plain text that is long enough"]) {
    it(`takes no secret that cannot sign: ${JSON.stringify(secret)}`, () => {
      const isRefused = (error: unknown) =>
        error instanceof ConfigError &&
        error.code === "generic-webhook-secret-invalid" &&
        /hosts\.git/.test(error.message);
      assert.throws(() => opened({ webhookSecret: secret }), isRefused);
      assert.ok(!hostTypes.schema.safeParse({ type: "generic", cloneUrl: CLONES, webhookSecret: secret }).success);
    });
  }

  it("asks for a repo by the template, with the password in a header", async () => {
    const asked: unknown[] = [];
    const readHead = async (source: unknown) => {
      asked.push(source);
      return { defaultBranch: "trunk" };
    };
    const host = opened({ username: "deploy", token: "s3cret" }, { ...noTools, readHead });
    const found = await host.findRepo("acme/platform", "api");
    assert.deepEqual(found, {
      hostId: "acme/platform/api",
      owner: "acme/platform",
      name: "api",
      defaultBranch: "trunk",
    });
    const url = "https://git.example.com/acme/platform/api.git";
    assert.deepEqual(asked, [{ url, authorization: `Basic ${btoa("deploy:s3cret")}` }]);
    assert.deepEqual(await host.cloneSource({ ...commit.repo, owner: "acme/platform" }), asked[0]);
    assert.equal(
      (await opened({ token: "s3cret" }).cloneSource(commit.repo)).authorization,
      `Basic ${btoa("deliverd:s3cret")}`,
    );
    assert.equal((await opened().cloneSource(commit.repo)).authorization, null);
  });

  it("counts no API calls", async () => {
    let isDone = false;
    const calls = await opened().counted(async () => {
      isDone = true;
    });
    assert.deepEqual([calls, isDone, opened().budget()], [0, true, null]);
  });

  it("shows a result in the words of CI, with its time and its address", async () => {
    const check = { name: "test", state: "failure" as const, url: "https://ci.example.com/1", at: 1_000 };
    const host = opened({}, { ...noTools, pushedChecks: async () => [check] });
    const gate = { ci: "required" as const, required: [], apps: null, settle: 0, timeout: 1 };
    const { verdict, because, checks } = await host.ciState(commit, gate, [], 2_000);
    assert.equal(verdict, "red");
    assert.match(because, /test/);
    assert.deepEqual(checks, [
      {
        ...{ name: "test", source: "status", state: "failed", app: null, appId: null, detail: "failure", at: 1_000 },
        url: "https://ci.example.com/1",
      },
    ]);
  });

  describe("sends a report", () => {
    const report = {
      context: "deliverd/api",
      state: "success" as const,
      description: "released 1.0.0",
      targetUrl: "https://d",
    };
    let status: number;
    let headers: Record<string, string>;
    let receiver: ScriptedServer;

    beforeEach(async () => {
      [status, headers] = [204, {}];
      receiver = await startScriptedServer((_asked, response) => {
        if (status === 0) response.destroy();
        else response.writeHead(status, headers).end("not shown");
      });
    });
    afterEach(() => receiver.close());

    const send = () =>
      opened({ reportUrl: `${receiver.url}/services/canary-path?token=canary`, timeout: 2_000 }).report(commit, report);
    const failure = async () => {
      const error = await send().then(
        () => assert.fail("it was taken"),
        (caught: unknown) => caught,
      );
      assert.ok(error instanceof Error);
      assert.doesNotMatch(inspect(error), /canary|services|not shown|whsec_/);
      assert.ok(error.message.startsWith(`hosts.git.reportUrl (${receiver.url}/…) `), error.message);
      return error;
    };

    it("to nobody, if no URL is configured", () => opened().report(commit, report));

    for (const code of [200, 201, 202, 204]) {
      it(`which a receiver takes by ${code}`, async () => {
        status = code;
        await send();
        assert.equal(receiver.asked.length, 1);
        assert.deepEqual(JSON.parse(receiver.asked[0]?.body ?? ""), {
          ...{ type: "report", repo: "acme/api", sha: commit.sha, context: "deliverd/api", state: "success" },
          ...{ description: "released 1.0.0", url: "https://d" },
        });
      });
    }

    for (const code of [404, 410, 422]) {
      it(`which a receiver refuses for good by ${code}`, async () => {
        status = code;
        const error = await failure();
        assert.ok(error instanceof Refused && error.code === "report-refused", error.message);
      });
    }

    for (const code of [0, 301, 400, 401, 403, 408, 429, 500, 503]) {
      it(`again later after ${code === 0 ? "no answer" : code}`, async () => {
        status = code;
        headers = { "retry-after": "90" };
        const error = await failure();
        assert.ok(error instanceof TransientError && error.code === "report-not-taken", error.message);
        assert.equal(error.retryAfter, code === 0 ? null : 90_000);
        assert.equal(receiver.asked.length, 1, "a redirect is not followed");
      });
    }
  });
});
