import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ArtifactoryStandIn, startArtifactory } from "../../support/registries/artifactory/server.ts";

const hex = (name: string, text: string) => createHash(name).update(text).digest("hex");
const sums = (text: string) => ({ "x-checksum-sha1": hex("sha1", text), "x-checksum-sha256": hex("sha256", text) });
const octets = { "content-type": "application/octet-stream" };
const asJson = { "content-type": "application/json" };

describe("The Artifactory stand-in", () => {
  let art: ArtifactoryStandIn;

  beforeEach(async () => {
    art = await startArtifactory({ files: "generic", released: "generic", libs: "maven" });
  });
  afterEach(() => art.stop());

  async function send(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
    const authorization = `Basic ${Buffer.from(`${art.username}:${art.password}`).toString("base64")}`;
    const init = { method, headers: { authorization, ...headers }, ...(body !== undefined && { body }) };
    const answer = await fetch(`${art.url}/${path}`, init);
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
  }
  const put = (path: string, text: string, more: Record<string, string> = {}) =>
    send("PUT", path, { ...octets, ...sums(text), ...more }, text);
  const build = (more: object = {}, artifact: object = {}) =>
    JSON.stringify({
      ...{ name: "acme/api", number: "1.0.0", started: "2026-01-02T03:04:05.000+0000" },
      agent: { name: "deliverd", version: "1" },
      modules: [
        {
          ...{ id: "m:1.0.0", type: "generic" },
          artifacts: [{ name: "a", type: "file", path: "x/a", sha1: hex("sha1", "a"), ...artifact }],
        },
      ],
      ...more,
    });

  it("stores a file with its checksums and properties, describes it and returns it", async () => {
    const taken = await put("files/x/a;build.name=acme%2Fapi;build.number=1", "a");
    assert.deepEqual([taken.status, taken.json().path, taken.json().size], [201, "/x/a", "1"]);
    assert.equal((await send("GET", "api/storage/files/x/a")).json().checksums.sha256, hex("sha256", "a"));
    const { properties } = (await send("GET", "api/storage/files/x/a?properties")).json();
    assert.deepEqual(properties, { "build.name": ["acme/api"], "build.number": ["1"] });
    const back = await send("GET", "files/x/a");
    assert.deepEqual([back.text, back.headers.get("x-checksum-sha1")], ["a", hex("sha1", "a")]);
    assert.equal((await send("GET", "files/x/a.sha256")).text, hex("sha256", "a"));
    assert.deepEqual((await send("GET", "api/storage/files/x?list")).json().files[0].uri, "/a");
    const found = (await send("GET", `api/search/checksum?sha256=${hex("sha256", "a")}&repos=files`)).json();
    assert.deepEqual(found, { results: [{ uri: `${art.url}/api/storage/files/x/a` }] });
    assert.deepEqual(art.violations, []);
  });

  it("refuses requests without a login or without the right", async () => {
    assert.equal((await fetch(`${art.url}/api/storage/files`)).status, 401);
    assert.equal((await send("GET", "api/storage/files", { authorization: "Bearer wrong" })).status, 401);
    assert.equal((await send("GET", "api/storage/files", { authorization: `Bearer ${art.token}` })).status, 200);
    art.rights.deploy = false;
    assert.equal((await put("files/x/a", "a")).status, 403);
    art.rights.deploy = true;
    art.rights.annotate = false;
    assert.equal((await put("files/x/a;k=v", "a")).status, 403);
    await put("files/x/a", "a");
    assert.equal((await send("PUT", "api/storage/files/x/a?properties=k=v")).status, 403);
  });

  it("refuses wrong, missing and malformed checksums", async () => {
    for (const [headers, status] of [
      [{ "x-checksum-sha256": hex("sha256", "b") }, 409],
      [{ "x-checksum-sha1": hex("sha1", "b") }, 409],
      [{ "x-checksum-md5": hex("md5", "b") }, 409],
      [{ "x-checksum-sha1": "nonsense" }, 400],
    ] as const) {
      assert.equal((await put("files/x/a", "a", headers)).status, status, JSON.stringify(headers));
    }
    assert.equal((await send("PUT", "files/x/a", { ...octets, "x-checksum-sha1": hex("sha1", "a") }, "a")).status, 400);
    assert.equal(art.storage.files.size, 0);
    assert.equal(art.violations.length, 5);
  });

  it("refuses a wrong content type, an invalid path and an unknown repository", async () => {
    assert.equal((await put("files/x/a", "a", { "content-type": "text/plain" })).status, 415);
    assert.equal((await put("files", "a")).status, 400);
    assert.equal((await put("files/x//a", "a")).status, 400);
    assert.equal((await put("other/x/a", "a")).status, 404);
    assert.equal((await send("GET", "api/storage/other")).status, 404);
    assert.equal((await send("GET", "api/nothing")).status, 404);
  });

  it("refuses to overwrite without the right, even the same bytes", async () => {
    await put("files/x/a", "a");
    for (const text of ["a", "b"]) {
      const again = await put("files/x/a", text);
      assert.equal(again.status, 403);
      assert.match(again.json().errors[0].message, /needs DELETE permission/);
    }
    art.rights.overwrite = true;
    assert.equal((await put("files/x/a", "b")).status, 201);
  });

  it("deploys by checksum only content that it has, and only without a body", async () => {
    const byChecksum = { "x-checksum-deploy": "true", ...sums("a") };
    assert.equal((await send("PUT", "files/x/a", byChecksum)).status, 404);
    await put("files/x/a", "a");
    assert.equal((await send("PUT", "files/y/a;k=v", byChecksum)).status, 201);
    assert.equal((await send("GET", "files/y/a")).text, "a");
    assert.equal((await send("PUT", "files/z/a", { ...byChecksum, ...octets }, "a")).status, 400);
    assert.equal((await send("PUT", "files/x/a", byChecksum)).status, 403);
    const mixed = { ...byChecksum, "x-checksum-sha256": hex("sha256", "b") };
    assert.equal((await send("PUT", "files/z/a", mixed)).status, 409);
  });

  it("refuses properties that are not URL-encoded or not escaped, and invalid keys", async () => {
    for (const bad of ["k=a/b", "k=a:b", "k=a+b", "k=a=b", "k", "a*b=c", "k=%FF", "=v"]) {
      assert.equal((await put(`files/x/a;${bad}`, "a")).status, 400, bad);
    }
    await put("files/x/a", "a");
    for (const bad of ["k=a/b", "k=a|b", "k=a%7Cb", "k=a%3Db", "k=a=b", "k", "%2A=c"]) {
      assert.equal((await send("PUT", `api/storage/files/x/a?properties=${bad}`)).status, 400, bad);
    }
    assert.equal((await send("PUT", "api/storage/files/x/none?properties=k=v")).status, 404);
    assert.equal((await send("PUT", "api/storage/files/x/a?properties=k=a%5C%2Cb;l=1%2C2&recursive=1")).status, 204);
    assert.deepEqual(art.storage.properties.get("files/x/a"), { k: ["a,b"], l: ["1", "2"] });
    assert.equal((await send("PUT", "api/storage/files/x?properties=m=n")).status, 204);
    assert.deepEqual(art.storage.properties.get("files/x/a")?.m, ["n"]);
  });

  it("refuses build-info that is incomplete or names missing files", async () => {
    await put("files/x/a", "a");
    const publish = (body: string, headers: Record<string, string> = asJson) => send("PUT", "api/build", headers, body);
    for (const bad of [
      build({ name: "" }),
      build({ number: undefined }),
      build({ agent: undefined }),
      build({ started: "2026-01-02T03:04:05Z" }),
      build({ modules: [] }),
      build({ modules: [{ id: "m", type: "generic", artifacts: [] }] }),
      build({ modules: [{ ...JSON.parse(build()).modules[0], type: "unheard-of" }] }),
      build({ modules: [JSON.parse(build()).modules[0], JSON.parse(build()).modules[0]] }),
      build({}, { sha1: hex("sha1", "b") }),
      build({}, { md5: hex("md5", "b") }),
      build({}, { path: "y/a" }),
      build({}, { name: "" }),
    ]) {
      assert.equal((await publish(bad)).status, 400, bad);
    }
    assert.equal((await publish(build(), { "content-type": "text/plain" })).status, 415);
    assert.equal((await send("GET", "api/build/acme%2Fapi/1.0.0")).status, 404);
    assert.equal((await publish(build())).status, 204);
    assert.equal((await send("GET", "api/build/acme%2Fapi/1.0.0")).json().buildInfo.modules[0].id, "m:1.0.0");
    assert.equal((await publish(build({ started: "2027-01-02T03:04:05.000+0000" }))).status, 409);
  });

  it("promotes a build only if its files carry its name and number", async () => {
    await put("files/x/a", "a");
    await send("PUT", "api/build", asJson, build());
    const promote = (body: object) => send("POST", "api/build/promote/acme%2Fapi/1.0.0", asJson, JSON.stringify(body));
    const copy = { targetRepo: "released", copy: true };
    assert.equal((await promote(copy)).status, 404);
    await send("PUT", "api/storage/files/x/a?properties=build.name=acme%2Fapi;build.number=1.0.0");
    assert.equal((await promote({})).status, 400);
    assert.equal((await promote(copy)).status, 200);
    assert.equal((await send("GET", "released/x/a")).text, "a");
  });

  it("checks the checksum files beside a jar against the jar", async () => {
    const path = "libs/org/example/a/1/a-1.jar";
    assert.equal((await put(`${path}.sha1`, hex("sha1", "a"))).status, 404);
    assert.equal((await put(path, "a")).status, 201);
    assert.equal((await put(`${path}.sha1`, hex("sha1", "b"))).status, 409);
    assert.equal((await put(`${path}.md5`, hex("md5", "a"))).status, 201);
    for (const text of ["<one/>", "<two/>"]) {
      assert.equal((await put("libs/org/example/a/maven-metadata.xml", text)).status, 201);
    }
    assert.equal((await put(path, "b")).status, 403);
  });
});
