import assert from "node:assert/strict";
import { hashToken } from "../../../src/api/access.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog } from "../../../src/ledger/logs.ts";
import { eachLedger, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "./support.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

/** Every route of the API, and each page. */
const READS = (id: string) => [
  ...["/api/v1/deliveries", `/api/v1/deliveries/${id}`, `/api/v1/deliveries/${id}/log`, "/api/v1/releases"],
  ...["/api/v1/releases/api/1.0.0", "/api/v1/releases/api/1.0.0/content", `/api/v1/why?repo=acme/api&sha=${SHA}`],
  "/api/v1/rules?repo=acme/api",
  ...["/api/v1/repos", "/api/v1/artifacts", "/api/v1/workers", "/api/v1/audit", "/api/v1/releases/api/1.0.0..1.0.1"],
  ...["/api/v1/releases/api/1.0.0/proof", `/api/v1/proof/${DIGEST}`],
];
/** Anybody may read these. */
const OPEN = [
  ...["/api/v1/openapi.json", "/sign-in", "/assets/:name"],
  ...["/.well-known/deliverd/keys.json", "/.well-known/deliverd/builder/v1"],
];
const WRITES = (id: string) => [
  "/api/v1/deliveries",
  `/api/v1/deliveries/${id}/retry`,
  `/api/v1/deliveries/${id}/cancel`,
  "/api/v1/ci",
];
const PAGES = (id: string) => ["/", "/deliveries", `/deliveries/${id}`, `/deliveries/${id}/log`, "/releases"];
/** What a form of a page posts: it needs the session's own token. */
const FORMS = (id: string) => [`/deliveries/${id}/retry`, `/deliveries/${id}/cancel`];

/** set-up-app.test.ts, ci.test.ts and live-pages.test.ts test who may use them. */
const TESTED_APART = ["/setup/github", "/setup/github/callback", "/api/v1/ci", "/events", "/sign-out"];

describe("access to API and pages", () => {
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;
    let id: string;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      api = await startApi(ledger);
      id = (await deliveryIn(ledger, SHA, { message: "only for those who may see it" })).id;
      await appendLog(ledger, id, "only for those who may see it\n");
    });
    afterEach(() => api.close());

    it("is denied to every route of the API without a token, or with a wrong one", async () => {
      for (const headers of [
        {},
        { authorization: "Bearer wrong" },
        { authorization: `Bearer ${TOKEN}x` },
        { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
        { authorization: "Bearer " },
        { authorization: `Basic ${Buffer.from(`admin:${TOKEN}`).toString("base64")}` },
        { authorization: TOKEN },
        { cookie: "deliverd_session=" },
        { cookie: `deliverd_session=${Date.now() + 100_000}.${"0".repeat(64)}` },
        { cookie: `deliverd_session=${TOKEN}` },
      ] as Record<string, string>[]) {
        for (const [method, paths] of [
          ["GET", READS(id)],
          ["POST", WRITES(id)],
        ] as const) {
          for (const path of paths) {
            const answer = await api.send(method, path, headers);
            assert.equal(answer.status, 401, `${method} ${path} ${JSON.stringify(headers)}`);
            assert.equal(answer.headers["www-authenticate"], 'Bearer realm="deliverd"');
            assert.equal(answer.headers["content-type"], "application/problem+json");
            assert.equal(answer.text.includes("only for those"), false);
          }
        }
      }
      assert.deepEqual([api.asked, api.woken], [[], []]);
    });

    it("is tested on every route: the lists of this test are complete", async () => {
      const listed = new Set(
        [...READS(":id"), ...WRITES(":id"), ...PAGES(":id"), ...FORMS(":id"), ...OPEN, ...TESTED_APART].map((path) =>
          path.replace(/\?.*/, ""),
        ),
      );
      const named = api.routes.map((path) =>
        path
          .replace(":artifact/:version", "api/1.0.0")
          .replace(":artifact/:from..:to", "api/1.0.0..1.0.1")
          .replace(":digest", DIGEST),
      );
      assert.ok(named.length >= 14, `${named}`);
      assert.deepEqual([...new Set(named)].sort(), [...listed].sort());
    });

    it("is redirected from every page to the sign-in page, which is public", async () => {
      for (const path of PAGES(id)) {
        const answer = await api.send("GET", path);
        assert.deepEqual([answer.status, answer.headers.location], [303, `/sign-in?to=${encodeURIComponent(path)}`]);
      }
      assert.equal((await api.send("GET", "/sign-in")).status, 200);
    });

    it("is allowed with the token, to API and pages", async () => {
      for (const path of [...PAGES(id), "/api/v1/deliveries", `/api/v1/deliveries/${id}/log`]) {
        assert.equal((await api.get(path)).status, 200, path);
      }
      const posted = await api.send("POST", `/api/v1/deliveries/${id}/cancel`, { authorization: `bearer ${TOKEN}` });
      assert.equal(posted.status, 202);
    });

    it("is allowed after signing in to pages and reading routes, but not to routes that change something", async () => {
      const cookie = await signIn();
      for (const path of [...PAGES(id), "/api/v1/deliveries"])
        assert.equal((await api.send("GET", path, { cookie })).status, 200, path);
      for (const path of WRITES(id)) {
        const answer = await api.send(
          "POST",
          path,
          { cookie, "content-type": "application/json" },
          JSON.stringify({ repo: "acme/api", sha: SHA }),
        );
        assert.equal(answer.status, 401, path);
      }
      assert.deepEqual([api.asked, api.woken], [[], []]);
    });

    it("sets a cookie that no script can read, that no form of another site can send, and that expires", async () => {
      const [set = ""] = (await postToken(TOKEN)).headers["set-cookie"] ?? [];
      for (const part of ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"]) assert.ok(set.includes(part), set);
      assert.equal(set.includes(TOKEN), false);
      const cookie = set.split(";")[0] ?? "";
      const [expires = "", name = "", mac = ""] = (cookie.split("=")[1] ?? "").split(".");
      const later = `deliverd_session=${Number(expires) + 1}.${name}.${mac}`;
      assert.equal((await api.send("GET", "/", { cookie: later })).status, 303);
      const secure = await startApi(ledger, { publicUrl: "https://deliverd.example.com" });
      try {
        const answer = await secure.send(
          "POST",
          "/sign-in",
          { "content-type": "application/x-www-form-urlencoded" },
          `token=${TOKEN}`,
        );
        assert.match(answer.headers["set-cookie"]?.[0] ?? "", /; Secure/);
      } finally {
        await secure.close();
      }
    });

    it("sets no cookie for a wrong or missing token", async () => {
      for (const token of ["", "wrong", `${TOKEN}\n`]) {
        const answer = await postToken(token);
        assert.deepEqual([answer.status, answer.headers["set-cookie"]], [401, undefined]);
      }
      const odd = await api.send(
        "POST",
        "/sign-in",
        { "content-type": "application/x-www-form-urlencoded" },
        `token=${TOKEN}&token=${TOKEN}`,
      );
      assert.equal(odd.status, 401);
    });

    it("is redirected after signing in only to a path of this server", async () => {
      for (const [to, expected] of [
        [`/deliveries/${id}`, `/deliveries/${id}`],
        ["https://evil.example", "/"],
        ["//evil.example", "/"],
        ["/\\evil.example", "/"],
        ["/\t/evil.example", "/"],
        ["javascript:alert(1)", "/"],
      ] as const) {
        assert.equal((await postToken(TOKEN, to)).headers.location, expected, to);
      }
    });

    it("is not gained by writing a path in another way", async () => {
      const inner = [...READS(id), ...PAGES(id)];
      const tricks = inner.flatMap((path) => [
        `/${path}`,
        `/.${path}`,
        `/x/..${path}`,
        `/sign-in/..${path}`,
        `/sign-in/%2e%2e${path}`,
        `/healthz/..;${path}`,
        path.replace("/api/", "/API/"),
        path.replace("/api/", "/%61pi/"),
        path.replaceAll("/", "%2f"),
        path.replaceAll("/", "\\"),
        `${path}%00`,
        `${path}/`,
        `${path}//`,
        `${path};/sign-in`,
        `${path}?to=/sign-in`,
        `http://127.0.0.1${path}`,
      ]);
      for (const path of tricks) {
        for (const method of ["GET", "HEAD", "POST", "PUT", "OPTIONS"]) {
          const answer = await api.send(method, path.startsWith("/") || path.startsWith("http") ? path : `/${path}`);
          assert.ok([200, 303, 400, 401, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
          assert.equal(answer.text.includes("only for those"), false, `${method} ${path}`);
          if (answer.status === 200) assert.equal(method, "OPTIONS", `${method} ${path}`);
        }
      }
    });

    it("may be public for reading only", async () => {
      const tokens = (["viewer", "operator"] as const).map((role) => ({
        name: role,
        role,
        hash: hashToken(`a-${role}`),
      }));
      const viewer = await startApi(ledger, { anonymous: "viewer", tokens });
      try {
        for (const path of [...PAGES(id), "/api/v1/deliveries"])
          assert.equal((await viewer.send("GET", path)).status, 200, path);
        for (const path of WRITES(id)) assert.equal((await viewer.send("POST", path)).status, 401, path);
        const path = "/api/v1/rules?repo=acme/pay";
        const secretsFor = async (headers?: Record<string, string>) =>
          JSON.parse((await viewer.send("GET", path, headers)).text).secrets;
        assert.equal(await secretsFor(), null, "not even what secrets are called");
        assert.equal(await secretsFor({ authorization: "Bearer wrong" }), null);
        assert.equal(await secretsFor({ authorization: "Bearer a-viewer" }), null);
        for (const token of ["a-operator", TOKEN])
          assert.deepEqual(await secretsFor({ authorization: `Bearer ${token}` }), ["NPM_READ"], token);
        assert.deepEqual(await secretsFor({ cookie: await signIn() }), ["NPM_READ"]);
      } finally {
        await viewer.close();
      }
    });

    function postToken(token: string, to = "/") {
      const body = new URLSearchParams({ token, to }).toString();
      return api.send("POST", "/sign-in", { "content-type": "application/x-www-form-urlencoded" }, body);
    }

    async function signIn(): Promise<string> {
      const answer = await postToken(TOKEN);
      assert.equal(answer.status, 303);
      return answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    }
  });
});
