import assert from "node:assert/strict";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog } from "../../../src/ledger/logs.ts";
import { html } from "../../../src/web/html.ts";
import { eachLedger, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { deliveryIn, startApi, type TestApi } from "./support.ts";

const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&lt;`;

describe("a web page of deliverd", () => {
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      api = await startApi(ledger);
    });
    afterEach(() => api.close());

    it("shows hostile commit messages, names, reasons and log lines as text everywhere", async () => {
      const { id } = await deliveryIn(ledger, SHA, {
        message: HOSTILE,
        author: HOSTILE,
        ref: `refs/heads/${HOSTILE}`,
        because: HOSTILE,
      });
      await appendLog(ledger, id, `${HOSTILE}\n</pre></main>${HOSTILE}\n`);
      for (const path of ["/", "/deliveries", `/deliveries/${id}`, `/deliveries/${id}/log`]) {
        const { status, text } = await api.get(path);
        assert.equal(status, 200);
        const body = text.slice(text.indexOf("<main "), text.lastIndexOf("</main>"));
        assert.deepEqual(body.match(/<(?:script|img)|alert\(2\)>|"'>/g), null, path);
        assert.ok(body.includes("&#60;script&#62;alert(1)&#60;/script&#62;"), path);
        assert.ok(body.includes("&#38;lt;"), path);
      }
      const page = (await api.get(`/deliveries/${id}`)).text;
      // Of the reason, message twice, author twice, ref, and both lines of the log.
      assert.equal(page.match(/&#60;script&#62;alert\(1\)/g)?.length, 8);
    });

    it("shows a release's files, locations and pull commands, and hostile names as text", async () => {
      const files = [
        { name: HOSTILE, digest: `sha256:${"1".repeat(64)}`, size: 12 },
        { name: "tool.deb", digest: `sha256:${"2".repeat(64)}`, size: 34_567 },
      ];
      const content = frozenFiles(files);
      const id = await released(ledger, "tool", "file", content, ["files", "mirror"]);
      const { text } = await api.get(`/deliveries/${id}`);
      for (const told of [
        content.digest,
        ...["<td>tool.deb</td><td>34567</td>", files[1]?.digest, "deliverd pull tool@1.0.0"],
        ...[
          "<td>mirror</td><td>acme/api/tool:1.0.0</td>",
          "<code>fetch it from mirror</code> <button",
          "fetch it from files",
        ],
        "<td>&#60;script&#62;alert(1)",
      ]) {
        assert.ok(text.includes(String(told)), told);
      }
    });

    it("allows no script or style but those of this server, no HTML but by its own policy, and no frame", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      for (const path of [
        "/",
        `/deliveries/${id}`,
        `/deliveries/${id}/log`,
        "/releases",
        "/sign-in",
        "/deliveries/none",
      ]) {
        const { headers } = await api.get(path);
        const policy = String(headers["content-security-policy"]);
        assert.match(policy, /^default-src 'none';/);
        assert.equal(/unsafe|\*|https?:/.test(policy), false, policy);
        assert.match(policy, /frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types deliverd$/);
        assert.deepEqual([headers["x-content-type-options"], headers["cache-control"]], ["nosniff", "no-store"]);
      }
    });

    it("shows the page to return to as text in the sign-in form", async () => {
      const { text } = await api.get(`/sign-in?to=${encodeURIComponent(`/"><script>alert(1)</script>`)}`);
      assert.equal(text.includes("<script>"), false);
      assert.equal(text.includes("alert(1)</script>"), false);
      assert.ok(text.includes(`value="/&#34;&#62;&#60;script&#62;`));
    });

    it("sends the log as plain text that no browser interprets as HTML", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      await appendLog(ledger, id, `${HOSTILE}\n`);
      const { headers, text } = await api.get(`/api/v1/deliveries/${id}/log`);
      assert.equal(text, `${HOSTILE}\n`);
      assert.match(String(headers["content-type"]), /^text\/plain/);
      assert.equal(headers["x-content-type-options"], "nosniff");
    });

    it("keeps a delivery in progress current by one stream, but not a finished one", async () => {
      const live = await deliveryIn(ledger, SHA);
      assert.match(
        (await api.get(`/deliveries/${live.id}`)).text,
        new RegExp(`<body data-topic="delivery:${live.id}">`),
      );
      assert.match((await api.get(`/deliveries/${live.id}/log`)).text, /id="log" data-follow="\/api\/v1\/deliveries/);
      const done = await deliveryIn(ledger, "c".repeat(40), { state: "failed" });
      assert.doesNotMatch((await api.get(`/deliveries/${done.id}`)).text, /data-topic/);
      assert.doesNotMatch((await api.get(`/deliveries/${done.id}/log`)).text, /data-follow/);
    });

    it("shows a limited part of a log, and a link to the rest", async () => {
      const { id } = await deliveryIn(ledger, SHA, { state: "failed" });
      for (let chunk = 0; chunk < 12; chunk++) await appendLog(ledger, id, `${"x".repeat(60_000)}\n`);
      const { text } = await api.get(`/deliveries/${id}`);
      assert.ok(text.length < 800_000, `${text.length}`);
      assert.equal((await api.get(`/api/v1/deliveries/${id}/log`)).text.length, 12 * 60_001);
    });
  });

  it("escapes all text that is not Markup", () => {
    assert.equal(
      html`<b>${"<&>\"'"}</b>${[html`<i>${1}</i>`, null, undefined, "<"]}`.text,
      "<b>&#60;&#38;&#62;&#34;&#39;</b><i>1</i>&#60;",
    );
  });
});
