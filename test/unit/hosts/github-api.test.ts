import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import { Declined, type GitHubApi, githubApi } from "../../../src/hosts/github/api.ts";
import { findRepo } from "../../../src/hosts/github/find-repo.ts";
import { postStatus } from "../../../src/hosts/github/report.ts";
import { type Asked, json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { until } from "../../support/processes/process.ts";

const TOKEN = "ghp_hidden7hidden7hidden7";
const repo = { id: "github:7", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
const commit = { repo, sha: "a".repeat(40) };
const STATUSES = "GET /repos/{owner}/{repo}/commits/{ref}/statuses";
const at = { owner: "acme", repo: "api", ref: commit.sha };

/** The headers of a limit that ends in ten minutes. @param ahead how far GitHub's clock is ahead of ours, in ms */
function byClock(ahead: number): Record<string, string> {
  const now = Date.now() + ahead;
  return {
    date: new Date(now).toUTCString(),
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": String(Math.ceil(now / 1000) + 600),
  };
}

describe("GitHub's API", () => {
  let servers: ScriptedServer[] = [];
  afterEach(async () => {
    for (const server of servers) await server.close();
    servers = [];
  });

  async function served(answer: (asked: Asked, response: ServerResponse) => void, options: { timeout?: number } = {}) {
    const server = await startScriptedServer(answer);
    servers.push(server);
    return {
      ...server,
      api: githubApi({ key: "github", apiUrl: `${server.url}/`, token: TOKEN, retryBase: 5, ...options }),
    };
  }

  async function failure(call: Promise<unknown>): Promise<Error> {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: Error) => thrown,
    );
    assert.doesNotMatch(inspect(error, { depth: 30, showHidden: true }), /hidden7/);
    return error;
  }

  const transient = async (call: Promise<unknown>, code: string) => {
    const error = await failure(call);
    assert.ok(error instanceof TransientError, inspect(error));
    assert.equal(error.code, code);
    return error;
  };

  it("gets the token, and deliverd as the User-Agent", async () => {
    const { api, asked } = await served((_asked, response) => json(response, 200, { id: 1 }));
    await api.get("GET /repos/{owner}/{repo}", at);
    assert.equal(asked[0]?.headers.authorization, `token ${TOKEN}`);
    assert.match(String(asked[0]?.headers["user-agent"]), /^deliverd /);
    assert.match(String(asked[0]?.url), /^\/repos\/acme\/api\?/);
  });

  it("gets no credentials if no token is configured", async () => {
    const { url, asked } = await served((_asked, response) => json(response, 200, { id: 1 }));
    await githubApi({ key: "github", apiUrl: url, token: null }).get("GET /repos/{owner}/{repo}", at);
    assert.equal(asked[0]?.headers.authorization, undefined);
  });

  describe("for a list with several pages", () => {
    const pages = (asked: Asked, response: ServerResponse) => {
      const page = Number(new URL(asked.url, "http://x").searchParams.get("page") ?? 1);
      const next = `<http://${asked.headers.host}/repos/acme/api/x?page=${page + 1}>; rel="next"`;
      json(response, 200, { total_count: 250, check_runs: [{ page }] }, page < 3 ? { link: next } : {});
    };

    it("gives the items of every page", async () => {
      const { api, asked } = await served(pages);
      assert.deepEqual(await api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", at), [
        { page: 1 },
        { page: 2 },
        { page: 3 },
      ]);
      assert.match(String(asked[0]?.url), /per_page=100/);
    });

    it("fails if one page fails", async () => {
      const { api } = await served((asked, response) =>
        asked.url.includes("page=2") ? json(response, 409, { message: "busy" }) : pages(asked, response),
      );
      await transient(api.list(STATUSES, at), "github-unavailable");
    });

    it("gives up a list without an end", async () => {
      const { api } = await served((asked, response) =>
        json(response, 200, [], { link: `<http://${asked.headers.host}/again>; rel="next"` }),
      );
      assert.match((await transient(api.list(STATUSES, at), "github-unavailable")).message, /does not end/);
    });
  });

  describe("after a failure", () => {
    it("is asked twice more after 5xx", async () => {
      let calls = 0;
      const { api } = await served((_asked, response) => {
        calls += 1;
        json(response, calls < 3 ? 502 : 200, { calls });
      });
      assert.deepEqual(await api.get("GET /repos/{owner}/{repo}", at), { calls: 3 });
    });

    it("is to be asked later after the third 5xx, when it says so", async () => {
      const { api, asked } = await served((_asked, response) =>
        json(response, 503, { message: "no" }, { "retry-after": "7" }),
      );
      assert.equal((await transient(api.get("GET /repos/{owner}/{repo}", at), "github-unavailable")).retryAfter, 7_000);
      assert.equal(asked.length, 3);
    });

    it("is to be asked later if nobody listens", async () => {
      const { api, close } = await served(() => {});
      await close();
      servers = [];
      const error = await transient(api.get("GET /repos/{owner}/{repo}", at), "github-unavailable");
      assert.match(error.message, /ECONNREFUSED/);
    });

    it("is to be asked later if it does not answer in time", async () => {
      const { api } = await served(() => {}, { timeout: 30 });
      assert.match(
        (await transient(api.get("GET /repos/{owner}/{repo}", at), "github-unavailable")).message,
        /timeout/,
      );
    });

    for (const [what, answer] of [
      [
        "is cut in the middle",
        (response: ServerResponse) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
          response.write("[{");
          setImmediate(() => response.destroy());
        },
      ],
      ["is empty", (response: ServerResponse) => response.writeHead(200, { "content-type": "application/json" }).end()],
      [
        "is a page for people",
        (response: ServerResponse) => response.writeHead(200, { "content-type": "text/html" }).end("<p>"),
      ],
    ] as const) {
      it(`gives no empty list if its response ${what}`, async () => {
        const { api } = await served((_asked, response) => void answer(response));
        await transient(api.list(STATUSES, at), "github-unavailable");
      });
    }

    it("says that the token was refused, and where to set another", async () => {
      const { api } = await served((_asked, response) => json(response, 401, { message: "Bad credentials" }));
      const error = await transient(api.get("GET /repos/{owner}/{repo}", at), "github-token-refused");
      assert.match(error.message, /hosts\.github\.token/);
    });

    for (const status of [403, 404, 422]) {
      it(`leaves ${status} to the caller, at the first attempt`, async () => {
        const { api, asked } = await served((_asked, response) => json(response, status, { message: "Not here" }));
        const error = await failure(api.get("GET /repos/{owner}/{repo}", at));
        assert.ok(error instanceof Declined);
        assert.deepEqual([error.status, error.message, asked.length], [status, "Not here", 1]);
      });
    }
  });

  describe("when it limits requests", () => {
    const limits: [string, number, string, () => Record<string, string>, [number, number]][] = [
      ["429 with Retry-After", 429, "Too many", () => ({ "retry-after": "9" }), [9_000, 9_000]],
      ["403 with Retry-After", 403, "Slow down", () => ({ "retry-after": "9" }), [9_000, 9_000]],
      [
        "a secondary limit without a time",
        403,
        "You have exceeded a secondary rate limit",
        () => ({}),
        [60_000, 60_000],
      ],
      [
        "a secondary limit in the words of older servers",
        403,
        "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.",
        () => ({}),
        [60_000, 60_000],
      ],
      [
        "an hour's budget that is used up, by a clock that is behind ours",
        403,
        "API rate limit exceeded",
        () => byClock(-1_800_000),
        [599_000, 602_000],
      ],
      [
        "an hour's budget that is used up, by a clock that is ahead of ours",
        403,
        "API rate limit exceeded",
        () => byClock(1_800_000),
        [599_000, 602_000],
      ],
      [
        "a date for which its clock has ten minutes left",
        429,
        "Too many",
        () => ({
          date: new Date(Date.now() - 1_800_000).toUTCString(),
          "retry-after": new Date(Date.now() - 1_200_000).toUTCString(),
        }),
        [599_000, 601_000],
      ],
      [
        "an hour's budget that is used up",
        403,
        "API rate limit exceeded",
        () => ({ "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(Math.ceil(Date.now() / 1000) + 600) }),
        [599_000, 602_000],
      ],
    ];
    for (const [what, status, message, headers, [least, most]] of limits) {
      it(`waits as long as ${what} says, and makes no second attempt`, async () => {
        const { api, asked } = await served((_asked, response) => json(response, status, { message }, headers()));
        const { retryAfter } = await transient(api.get("GET /repos/{owner}/{repo}", at), "github-rate-limited");
        assert.ok(retryAfter !== null && retryAfter >= least && retryAfter <= most, `${retryAfter}`);
        assert.equal(asked.length, 1);
      });
    }
  });

  describe("for a redirect", () => {
    it("follows it on the same host, as after a rename", async () => {
      const { api } = await served((asked, response) =>
        asked.url.startsWith("/repositories/7")
          ? json(response, 200, { id: 7, name: "new", owner: { login: "acme" }, default_branch: "main" })
          : json(response, 301, { message: "Moved" }, { location: "/repositories/7" }),
      );
      assert.deepEqual(await findRepo(api, "acme", "old"), {
        hostId: "7",
        owner: "acme",
        name: "new",
        defaultBranch: "main",
      });
    });

    it("does not follow it to another host, and neither a link to the next page", async () => {
      const elsewhere = await startScriptedServer((_asked, response) => json(response, 200, []));
      servers.push(elsewhere);
      const redirected = await served((_asked, response) =>
        json(response, 302, {}, { location: `${elsewhere.url}/x` }),
      );
      assert.match(
        (await transient(redirected.api.get("GET /repos/{owner}/{repo}", at), "github-unavailable")).message,
        /another host/,
      );
      const linked = await served((_asked, response) =>
        json(response, 200, [], { link: `<${elsewhere.url}/x>; rel="next"` }),
      );
      await transient(linked.api.list(STATUSES, at), "github-unavailable");
      assert.deepEqual(elsewhere.asked, []);
    });

    it("does not follow it without end", async () => {
      const { api } = await served((_asked, response) => json(response, 302, {}, { location: "/again" }));
      assert.match(
        (await transient(api.get("GET /repos/{owner}/{repo}", at), "github-unavailable")).message,
        /redirects/,
      );
    });
  });

  it("may compress its responses, and one that is cut off is refused", async () => {
    const packed = gzipSync(JSON.stringify([{ id: 1 }]));
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const { api, asked } = await served(({ url }, response) => {
      response.writeHead(200, headers).end(url.includes("whole") ? packed : packed.subarray(0, -9));
    });
    assert.deepEqual(await api.list(STATUSES, { ...at, ref: "whole" }), [{ id: 1 }]);
    await transient(api.list(STATUSES, { ...at, ref: "half" }), "github-unavailable");
    assert.equal(asked[0]?.headers["accept-encoding"], "gzip");
  });

  it("gets conditional requests, and 304 means the same response as before", async () => {
    const { api, asked } = await served((request, response) => {
      if (request.headers["if-none-match"] === '"e1"') response.writeHead(304).end();
      else json(response, 200, [{ id: 1 }], { etag: '"e1"' });
    });
    for (let i = 0; i < 3; i++) assert.deepEqual(await api.list(STATUSES, at), [{ id: 1 }]);
    assert.deepEqual(
      asked.map(({ headers }) => headers["if-none-match"]),
      [undefined, '"e1"', '"e1"'],
    );
  });

  for (const token of ["", "ghp_hidden7\n", "two hidden7"]) {
    it(`refuses the token ${JSON.stringify(token)} at the start`, () => {
      assert.throws(
        () => githubApi({ key: "gh", apiUrl: "https://api.github.com", token }),
        (error) =>
          error instanceof ConfigError &&
          error.code === "github-token-invalid" &&
          /hosts\.gh\.token/.test(error.message) &&
          !error.message.includes("hidden7"),
      );
    });
  }

  describe("for a repo", () => {
    it("gives null if GitHub shows none", async () => {
      const { api } = await served((_asked, response) => json(response, 404, { message: "Not Found" }));
      assert.equal(await findRepo(api, "acme", "none"), null);
    });

    it("fails if the response is no repo", async () => {
      const { api } = await served((_asked, response) =>
        json(response, 200, { id: 7, name: "..", owner: { login: "acme" } }),
      );
      await transient(findRepo(api, "acme", "api"), "github-answer-unusable");
    });
  });

  describe("for a commit status", () => {
    const report = {
      context: "deliverd/api",
      state: "success" as const,
      description: "1.2.3",
      targetUrl: "https://d.example.com/1",
    };
    const post = (api: GitHubApi, description = "1.2.3") => postStatus(api, commit, { ...report, description });

    it("gets context, state, description and page", async () => {
      const { api, asked } = await served((_asked, response) => json(response, 201, {}));
      await post(api);
      assert.deepEqual(
        asked.map(({ method, url, body }) => [method, url, JSON.parse(body)]),
        [
          [
            "POST",
            `/repos/acme/api/statuses/${commit.sha}`,
            { context: "deliverd/api", state: "success", description: "1.2.3", target_url: "https://d.example.com/1" },
          ],
        ],
      );
    });

    it("gets at most eight at a time", async () => {
      const held: ServerResponse[] = [];
      const { api, url } = await served(({ method }, response) =>
        method === "POST" ? void held.push(response) : json(response, 200, {}),
      );
      const reports = Promise.all(Array.from({ length: 12 }, () => post(api)));
      await until("eight are there", async () => held.length >= 8);
      // Whatever was sent before this has come before it.
      await fetch(url);
      assert.equal(held.length, 8);
      for (let next = 0; next < 12; next++) {
        await until("the next is there", async () => held.length > next);
        json(held[next] ?? assert.fail(), 201, {});
      }
      await reports;
    });

    for (const status of [403, 404]) {
      it(`refuses ${status} and names the missing right`, async () => {
        const { api } = await served((_asked, response) => json(response, status, { message: "Not Found" }));
        const error = await failure(post(api));
        assert.ok(error instanceof Refused);
        assert.equal(error.code, "github-status-forbidden");
        assert.match(error.message, /repo:status/);
      });
    }

    it("refuses 422 with GitHub's reason", async () => {
      const { api } = await served((_asked, response) => json(response, 422, { message: "No commit found for SHA" }));
      await assert.rejects(post(api), { name: "Refused", code: "github-status-refused", message: /No commit found/ });
    });

    it("fails after 5xx, so that it is sent again", async () => {
      const { api } = await served((_asked, response) => json(response, 500, {}));
      await transient(post(api), "github-unavailable");
    });

    it("cuts the description to one line of 140 characters, between two characters", async () => {
      const { api, asked } = await served((_asked, response) => json(response, 201, {}));
      for (const text of ["two\nlines", "x".repeat(140), "x".repeat(141), `${"x".repeat(138)}😀😀`])
        await post(api, text);
      assert.deepEqual(
        asked.map(({ body }) => JSON.parse(body).description),
        ["two", "x".repeat(140), `${"x".repeat(139)}…`, `${"x".repeat(138)}…`],
      );
    });
  });
});
