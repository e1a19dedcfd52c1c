import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { inspect } from "node:util";
import { TransientError } from "../../../src/delivery/errors.ts";
import { path, type RestApi, type RestOptions, restApi } from "../../../src/hosts/rest/client.ts";
import { Declined } from "../../../src/hosts/rest/failure.ts";
import { budgetOf } from "../../../src/hosts/rest/meter.ts";
import { linkPager } from "../../../src/hosts/rest/pagers.ts";
import { readRetryAfter } from "../../../src/http/retry-after.ts";
import { type Asked, json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";

const TOKEN = "toy-hidden7hidden7hidden7";
const LIMIT = { remaining: "x-left", reset: "x-reset" };

const toyFailures: RestOptions["failures"] = {
  product: "Toy",
  unavailable: (message, options) => new TransientError("toy-unavailable", message, options),
  rateLimited: (message, options) => new TransientError("toy-limited", message, options),
  tokenRefused: (message, options) => new TransientError("toy-token", message, options),
  waitOf: readRetryAfter,
};

function toyApi(apiUrl: string, options: Partial<RestOptions> = {}): RestApi {
  return restApi({
    key: "toy",
    apiUrl,
    token: TOKEN,
    login: (token) => ({ "x-token": token }),
    failures: toyFailures,
    meter: { readBudget: (headers, ahead) => budgetOf(headers, LIMIT, ahead), countsUnchanged: true },
    pager: linkPager({ per_page: 2 }),
    retryBase: 1,
    ...options,
  });
}

describe("The REST client of a host", () => {
  let servers: ScriptedServer[] = [];
  afterEach(async () => {
    for (const server of servers) await server.close();
    servers = [];
  });

  async function served(answer: (asked: Asked, response: ServerResponse) => void, options: Partial<RestOptions> = {}) {
    const server = await startScriptedServer(answer);
    servers.push(server);
    return { ...server, api: toyApi(`${server.url}/api/v1`, options) };
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

  it("logs in with the host's header, and asks in JSON by a path and a query", async () => {
    const { api, asked } = await served((_asked, response) => json(response, 200, { id: 1 }));
    assert.deepEqual(await api.get(path`/projects/${"a/b c"}`, { sha: "a&b", all: true, ref: undefined }), { id: 1 });
    assert.equal(asked[0]?.headers["x-token"], TOKEN);
    assert.equal(asked[0]?.headers.accept, "application/json");
    assert.equal(asked[0]?.url, "/api/v1/projects/a%2Fb%20c?sha=a%26b&all=true");
  });

  it("sends no login without a token", async () => {
    const { api, asked } = await served((_asked, response) => json(response, 200, {}), { token: null });
    await api.get("/x");
    assert.equal(asked[0]?.headers["x-token"], undefined);
  });

  for (const value of ["", ".", ".."]) {
    it(`makes no path of ${JSON.stringify(value)}, which would lead elsewhere`, () => {
      assert.throws(() => path`/repos/${value}/x`, /no segment/);
    });
  }

  it("posts, puts and deletes", async () => {
    const { api, asked } = await served(({ method }, response) => {
      if (method === "DELETE") response.writeHead(204).end();
      else json(response, 201, { method });
    });
    assert.deepEqual(await api.post("/x", { a: 1 }), { method: "POST" });
    assert.deepEqual(await api.put("/x", { a: 2 }), { method: "PUT" });
    await api.delete("/x");
    assert.deepEqual(
      asked.map(({ method, body }) => [method, body]),
      [
        ["POST", '{"a":1}'],
        ["PUT", '{"a":2}'],
        ["DELETE", ""],
      ],
    );
    assert.equal(asked[0]?.headers["content-type"], "application/json");
  });

  describe("for a list", () => {
    const pages = (asked: Asked, response: ServerResponse) => {
      const page = Number(new URL(asked.url, "http://x").searchParams.get("page") ?? 1);
      const link = `<http://${asked.headers.host}/api/v1/x?page=${page + 1}>; rel="next"`;
      json(response, 200, [page], page < 3 ? { link } : {});
    };

    it("reads every page, with the pager's size", async () => {
      const { api, asked } = await served(pages);
      assert.deepEqual(await api.list("/x", { state: "all" }), [1, 2, 3]);
      assert.equal(asked[0]?.url, "/api/v1/x?per_page=2&state=all");
    });

    it("fails if one page fails, is no list, or leads to itself", async () => {
      const wrong: ((asked: Asked, response: ServerResponse) => void)[] = [
        (_asked, response) => json(response, 500, {}),
        (_asked, response) => json(response, 200, { items: [] }),
        ({ url }, response) => json(response, 200, [2], { link: `<${url}>; rel=next` }),
      ];
      for (const second of wrong) {
        const { api } = await served((asked, response) =>
          asked.url.includes("page=2") ? second(asked, response) : pages(asked, response),
        );
        await transient(api.list("/x"), "toy-unavailable");
      }
    });

    it("gives up after a hundred pages", async () => {
      const { api, asked } = await served(({ url }, response) => {
        const next = Number(new URL(url, "http://x").searchParams.get("at") ?? 0) + 1;
        json(response, 200, [], { link: `</api/v1/x?at=${next}>; rel=next` });
      });
      assert.match((await transient(api.list("/x"), "toy-unavailable")).message, /does not end/);
      assert.ok(asked.length <= 101);
    });

    it("asks the same server for the next page, whatever name the server gives itself", async () => {
      const elsewhere = await startScriptedServer((_asked, response) => json(response, 200, []));
      servers.push(elsewhere);
      const { api, asked } = await served(({ url }, response) => {
        const isFirst = !url.includes("?page=2");
        const link = `<${elsewhere.url}/public/x?page=2&per_page=2>; rel="next"`;
        json(response, 200, [isFirst ? 1 : 2], isFirst ? { link } : {});
      });
      assert.deepEqual(await api.list("/x"), [1, 2]);
      assert.deepEqual([asked[1]?.url, elsewhere.asked], ["/api/v1/x?page=2&per_page=2", []]);
    });
  });

  describe("after a failure that may pass", () => {
    for (const method of ["get", "put", "delete"] as const) {
      it(`sends ${method.toUpperCase()} twice more`, async () => {
        let calls = 0;
        const { api } = await served((_asked, response) => {
          calls += 1;
          json(response, calls < 3 ? 502 : 200, { calls });
        });
        await (method === "put" ? api.put("/x", {}) : api[method]("/x"));
        assert.equal(calls, 3);
      });
    }

    it("does not send a POST again: the host may have carried it out", async () => {
      const { api, asked } = await served((_asked, response) => json(response, 502, {}));
      await transient(api.post("/x", {}), "toy-unavailable");
      assert.equal(asked.length, 1);
    });

    it("says how long to wait after the third 5xx", async () => {
      const { api, asked } = await served((_asked, response) => json(response, 503, {}, { "retry-after": "7" }));
      assert.equal((await transient(api.get("/x"), "toy-unavailable")).retryAfter, 7_000);
      assert.equal(asked.length, 3);
    });

    it("says that nobody listens, or that no answer came in time", async () => {
      const { api } = await served(() => {}, { timeout: 20 });
      assert.match((await transient(api.get("/x"), "toy-unavailable")).message, /timeout/);
      const closed = await served(() => {});
      await closed.close();
      servers.pop();
      assert.match((await transient(closed.api.get("/x"), "toy-unavailable")).message, /ECONNREFUSED/);
    });
  });

  const broken: [string, (response: ServerResponse) => void][] = [
    [
      "that is cut in the middle of its body",
      (response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
        response.write("[");
        setImmediate(() => response.destroy());
      },
    ],
    [
      "that is cut between two items, without a length",
      (response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write("[1,");
        setImmediate(() => response.destroy());
      },
    ],
    ["that is empty", (response) => response.writeHead(200).end()],
    ["that is a page for people", (response) => response.writeHead(200).end("<p>")],
    ["that is 304 for a request without a condition", (response) => response.writeHead(304).end()],
  ];
  for (const [what, answer] of broken) {
    it(`concludes nothing from an answer ${what}`, async () => {
      const { api } = await served((_asked, response) => void answer(response));
      await transient(api.list("/x"), "toy-unavailable");
      await transient(api.get("/x"), "toy-unavailable");
    });
  }

  it("says that the token was refused, and where to set another", async () => {
    const { api } = await served((_asked, response) => json(response, 401, { message: "401 Unauthorized" }));
    assert.match((await transient(api.get("/x"), "toy-token")).message, /hosts\.toy\.token/);
  });

  it("tells a missing right from a refused token, where the host answers 401 to both", async () => {
    const failures = { ...toyFailures, isForbidden: ({ body = "" }) => body.includes("NoRight") };
    const { api } = await served(
      ({ url }, response) => json(response, 401, { message: "no", type: url.endsWith("/x") ? "NoRight" : "NoLogin" }),
      { failures },
    );
    const declined = await failure(api.get("/x"));
    assert.ok(declined instanceof Declined);
    assert.deepEqual([declined.status, declined.message], [403, "no"]);
    await transient(api.get("/y"), "toy-token");
  });

  const messages: [body: unknown, message: string][] = [
    [{ message: "404 Not Found" }, "404 Not Found"],
    [{ message: { base: ["is taken", "is long"] } }, "base: is taken; is long"],
    [{ error: "insufficient_scope", error_description: "too little" }, "too little"],
    [{ type: "error", error: { message: "no such repository" } }, "no such repository"],
    [{ errors: [{ context: null, message: "is gone" }] }, "is gone"],
    [{ message: null, code: 7 }, "code: 7"],
  ];
  for (const [body, message] of messages) {
    it(`leaves 4xx to the caller at the first attempt, with the message of ${JSON.stringify(body)}`, async () => {
      const { api, asked } = await served((_asked, response) => json(response, 409, body));
      const error = await failure(api.get("/x"));
      assert.ok(error instanceof Declined);
      assert.deepEqual([error.status, error.message, asked.length], [409, message, 1]);
    });
  }

  it("waits as long as a limit says, or a minute, and makes no second attempt", async () => {
    for (const [headers, wait] of [
      [{ "retry-after": "9" }, 9_000],
      [{}, 60_000],
    ] as const) {
      const { api, asked } = await served((_asked, response) => {
        response.writeHead(429, headers).end("Retry later");
      });
      const error = await transient(api.get("/x"), "toy-limited");
      assert.deepEqual([error.retryAfter, asked.length], [wait, 1]);
      assert.match(error.message, /Retry later/);
    }
  });

  it("does not show the token where the host repeats it", async () => {
    const { api } = await served((_asked, response) => json(response, 400, { message: `bad ${TOKEN}` }));
    assert.match((await failure(api.get("/x"))).message, /^bad \S+$/);
  });

  it("asks again under the condition that something changed, and counts each request", async () => {
    const { api, asked } = await served((request, response) => {
      if (request.headers["if-none-match"] === 'W/"e1"') response.writeHead(304).end();
      else json(response, 200, [1], { etag: 'W/"e1"', "x-left": "41", "x-reset": "2000000000" });
    });
    const calls = await api.counted(async () => {
      for (let i = 0; i < 3; i++) assert.deepEqual(await api.list("/x"), [1]);
    });
    assert.deepEqual([calls, asked.length, api.budget()?.remaining], [3, 3, 41]);
  });
});
