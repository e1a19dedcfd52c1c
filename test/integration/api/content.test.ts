import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { FrozenFile } from "../../../src/delivery/types.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { withRepo } from "../../support/databases/ledgers.ts";
import { tarOf } from "../../support/fixtures/archives.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type Download, downloadOnlyRegistry } from "../../support/registries/download-source.ts";
import { startApi, type TestApi, TOKEN } from "./support.ts";

const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const file = (name: string, text: string): FrozenFile => ({ name, digest: digestOf(text), size: text.length });

describe("the content of files in the API", () => {
  const one: Record<string, Download> = {};
  const two: Record<string, Download> = {};
  let ledger: Ledger;
  let api: TestApi;
  let dir: { path: string; remove(): Promise<void> };

  beforeEach(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger, {
      registries: new Map([
        ["one", downloadOnlyRegistry(one)],
        ["two", downloadOnlyRegistry(two)],
      ]),
    });
  });
  afterEach(async () => {
    for (const shelved of [one, two]) for (const key of Object.keys(shelved)) delete shelved[key];
    await api.close();
    await ledger.close();
    await dir.remove();
  });

  const content = (artifact: string, headers: Record<string, string> = {}, query = "") =>
    api.send("GET", `/api/v1/releases/${artifact}/1.0.0/content${query}`, {
      authorization: `Bearer ${TOKEN}`,
      ...headers,
    });

  it("is listed with a release: each file, and the package's metadata", async () => {
    const files = [file("a.tgz", "aaa"), file("b.txt", "b")];
    const identity = { name: "@acme/a", version: "1.0.0" };
    const frozen = frozenFiles(files, { package: identity });
    await released(ledger, "tool", "npm", frozen, ["one"]);
    const release = JSON.parse((await api.get("/api/v1/releases/tool/1.0.0")).text);
    assert.deepEqual([release.digest, release.files, release.package], [frozen.digest, files, identity]);
    const { items } = JSON.parse((await api.get("/api/v1/releases?artifact=tool")).text);
    assert.deepEqual(items, [release]);
    assert.match(items[0].locations[0].name, /^\S+:\S+$/);
  });

  it("is one file under its name, or a tar of several; the extension does not set the type", async () => {
    await released(ledger, "page", "file", frozenFiles([file("page.html", "<script>")]), ["one"]);
    one.page = Buffer.from("<script>");
    const single = await content("page");
    assert.deepEqual(
      [single.status, single.text, single.headers["content-type"], single.headers["content-disposition"]],
      [200, "<script>", "application/octet-stream", "attachment; filename=page.html"],
    );
    await released(ledger, "both", "file", frozenFiles([file("a", "a"), file("b", "b")]), ["one"]);
    one.both = await tarOf([
      { name: "a", text: "a" },
      { name: "b", text: "b" },
    ]);
    const several = await content("both");
    assert.deepEqual(
      [several.headers["content-type"], several.headers["content-disposition"]],
      ["application/x-tar", "attachment; filename=both-1.0.0.tar"],
    );
  });

  it("escapes hostile names in its header, and removes folders from them", async () => {
    const names: [name: string, header: RegExp][] = [
      ['a".exe; filename=b.txt', /^attachment; filename="a\\"\.exe; filename=b\.txt"$/],
      [
        "a\r\nset-cookie: x=1",
        /^attachment; filename="a\?\?set-cookie: x=1"; filename\*=UTF-8''a%0D%0Aset-cookie%3A%20x%3D1$/,
      ],
      [
        "größe\u202egnp.exe",
        /^attachment; filename="gr\?\?e\?gnp\.exe"; filename\*=UTF-8''gr%C3%B6%C3%9Fe%E2%80%AEgnp\.exe$/,
      ],
      ["../../etc/passwd", /^attachment; filename=passwd$/],
      ["%2e%2e%2fx", /filename\*=UTF-8''%252e%252e%252fx$/],
    ];
    for (const [number, [name, header]] of names.entries()) {
      await released(ledger, `odd${number}`, "file", frozenFiles([file(name, "x")]), ["one"]);
      one[`odd${number}`] = Buffer.from("x");
      const { status, headers } = await content(`odd${number}`);
      assert.deepEqual([status, headers["set-cookie"]], [200, undefined], name);
      assert.match(String(headers["content-disposition"]), header);
    }
  });

  it("is sent in the requested range if it has not changed", async () => {
    const text = "0123456789".repeat(1000);
    const frozen = frozenFiles([file("digits", text)]);
    await released(ledger, "digits", "file", frozen, ["one"]);
    one.digits = Buffer.from(text);
    const etag = `"${frozen.digest}"`;
    const part = await content("digits", { range: "bytes=10-14", "if-range": etag });
    assert.deepEqual(
      [part.status, part.text, part.headers["content-range"], part.headers.etag],
      [206, "01234", "bytes 10-14/10000", etag],
    );
    assert.equal((await content("digits", { range: "bytes=-3" })).text, "789");
    const other = await content("digits", { range: "bytes=10-14", "if-range": '"sha256:other"' });
    assert.deepEqual([other.status, other.text], [200, text]);
    for (const range of ["bytes=10000-", "bytes=-0", "bytes=99999999999999999999-"]) {
      assert.equal((await content("digits", { range })).status, 416, range);
    }
    // RFC 9110, 14.2: a unit or a range that is not understood is no range, and several may be answered with the whole.
    for (const range of ["items=0-1", "bytes=5-2", "bytes=0-1,4-5", "bytes=", "bytes=a-b", "0-4"]) {
      const { status, text: whole, headers } = await content("digits", { range });
      assert.deepEqual([status, whole, headers["content-range"]], [200, text, undefined], range);
    }

    one.digits = async (into) => {
      for (let at = 0; at < text.length; at += 7) into.write(text.slice(at, at + 7));
      into.end();
    };
    for (const [range, from, to] of [
      ["bytes=0-", 0, 10_000],
      ["bytes=0-0", 0, 1],
      ["bytes=6-7", 6, 8],
      ["bytes=9993-", 9_993, 10_000],
    ] as const) {
      assert.equal((await content("digits", { range })).text, text.slice(from, to), range);
    }
  });

  it("is not completed for a range if other parts of it are wrong", async () => {
    await released(ledger, "digits", "file", frozenFiles([file("digits", "0123456789")]), ["one"]);
    one.digits = async (into) => {
      into.write("0123456780");
      await new Promise((resolve) => setImmediate(resolve));
      into.destroy(new Error("it has another digest"));
      throw new Error("it has another digest");
    };
    await assert.rejects(content("digits", { range: "bytes=0-4" }), /aborted|socket hang up/);
    one.digits = new TransientError("registry-unreachable", "it is away");
    assert.equal((await content("digits", { range: "bytes=0-4" })).status, 502);
  });

  it("is sent from the next registry that has it, or from the requested one", async () => {
    await released(ledger, "tool", "file", frozenFiles([file("tool", "x")]), ["one", "two"]);
    two.tool = Buffer.from("x");
    assert.equal((await content("tool")).text, "x");
    assert.equal((await content("tool", {}, "?registry=two")).text, "x");
    const down = await content("tool", {}, "?registry=one");
    assert.deepEqual([down.status, JSON.parse(down.text).detail], [502, "nothing called tool"]);
    const none = await content("tool", {}, "?registry=three");
    assert.deepEqual(
      [none.status, JSON.parse(none.text).detail],
      [404, 'No registry is called "three". It is in: one, two.'],
    );
    await released(ledger, "other", "file", frozenFiles([file("other", "x")]), ["one"]);
    const absent = await api.get("/api/v1/releases/other/1.0.0/content?registry=two");
    assert.match(
      JSON.parse(absent.text).detail,
      /^The registry "two" holds no content of other 1\.0\.0\. It is in: one\.$/,
    );
  });

  it("is aborted if the registry aborts, and never looks complete then", async () => {
    await released(ledger, "tool", "file", frozenFiles([file("tool", "whole")]), ["one", "two"]);
    one.tool = async (into) => {
      into.write("wh");
      await new Promise((resolve) => setImmediate(resolve));
      into.destroy(new Error("cut"));
      throw new Error("cut");
    };
    two.tool = Buffer.from("whole");
    await assert.rejects(content("tool"), /aborted|socket hang up/);
  });
});
