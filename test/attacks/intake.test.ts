import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { digestOf } from "../../src/store/digest.ts";
import { type Grant, type Intake, startIntake } from "../../src/store/intake.ts";
import { Store } from "../../src/store/store.ts";
import { freezeImage, manyBytes } from "../support/fixtures/images.ts";
import { memoryOf } from "../support/processes/memory.ts";
import { tempDir, until } from "../support/processes/process.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

describe("The intake of images under attack", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let intake: Intake;
  let grant: Grant;
  const bugs: unknown[] = [];
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
    intake = await startIntake({ store, listen: "127.0.0.1:0", onBug: (error) => bugs.push(error) });
  });
  beforeEach(() => {
    grant = intake.grant("build-1", { maxBytes: 1_000_000 });
  });
  afterEach(async () => {
    await grant.revoke();
    assert.deepEqual(bugs, [], "no payload is a bug");
  });
  after(async () => {
    await intake.stop();
    await dir.remove();
  });

  /** Sends the path as it stands: no client of the usual kind would. */
  function ask(
    method: string,
    path: string,
    options: {
      as?: { username: string; password: string } | null;
      headers?: Record<string, string>;
      body?: Buffer | Readable;
    } = {},
  ): Promise<Answer> {
    const { as = grant, headers = {}, body } = options;
    const [host, port] = intake.host.split(":");
    const login = as
      ? { Authorization: `Basic ${Buffer.from(`${as.username}:${as.password}`).toString("base64")}` }
      : {};
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host, port, method, path, headers: { ...login, ...headers }, agent: false });
      request.on("error", reject);
      request.on("response", async (response) => {
        const answer = { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
        resolve(answer);
      });
      if (body instanceof Readable) body.pipe(request);
      else request.end(body);
    });
  }
  const code = ({ body }: Answer) => JSON.parse(body).errors[0].code;
  async function begin(as = grant): Promise<string> {
    const { headers } = await ask("POST", `/v2/${as.repository}/blobs/uploads/`, { as });
    return String(headers.location);
  }
  async function pushBlob(bytes: Buffer): Promise<string> {
    const digest = digestOf(bytes);
    const { status } = await ask("PUT", `${await begin()}?digest=${digest}`, { body: bytes });
    assert.equal(status, 201);
    return digest;
  }

  it("refuses every request without a credential, and reveals nothing in the answer", async () => {
    const others = [
      null,
      { username: "", password: "" },
      { username: grant.username, password: "" },
      { username: grant.username, password: `${grant.password}x` },
      { username: grant.username, password: grant.password.slice(1) },
      { username: "admin", password: grant.password },
      { username: "__proto__", password: "x" },
    ];
    for (const as of others) {
      const answers = [
        await ask("GET", "/v2/", { as }),
        await ask("GET", "/nothing/here", { as }),
        await ask("HEAD", `/v2/build-1/blobs/sha256:${"0".repeat(64)}`, { as }),
        await ask("POST", "/v2/build-1/blobs/uploads/", { as }),
        await ask("PUT", "/v2/build-1/manifests/v1", {
          as,
          headers: { "Content-Type": manifestType },
          body: Buffer.from("{}"),
        }),
      ];
      for (const { status, headers } of answers) {
        assert.equal(status, 401);
        assert.match(String(headers["www-authenticate"]), /^Basic realm=/);
      }
    }
    for (const Authorization of ["Basic", "Basic !!!", "Bearer x", `Basic ${"A".repeat(5000)}`, "basic Og=="]) {
      assert.equal((await ask("GET", "/v2/", { as: null, headers: { Authorization } })).status, 401);
    }
    assert.equal((await ask("GET", "/v2/")).status, 200);
  });

  it("ends a revoked credential together with its unfinished uploads", async () => {
    const upload = await begin();
    await ask("PATCH", upload, { body: Buffer.from("half") });
    await grant.revoke();
    assert.equal((await ask("GET", "/v2/")).status, 401);
    assert.equal((await ask("PATCH", upload, { body: Buffer.from("more") })).status, 401);
  });

  it("accepts pushes only into the credential's own repository", async () => {
    const digest = await pushBlob(randomBytes(10));
    for (const path of [
      "/v2/build-2/blobs/uploads/",
      "/v2/build-1/x/blobs/uploads/",
      "/v2/build-11/blobs/uploads/",
      "/v2/x/../build-1/blobs/uploads/",
    ]) {
      const answer = await ask("POST", path);
      assert.deepEqual([answer.status, code(answer)], [403, "DENIED"], path);
    }
    assert.equal((await ask("HEAD", `/v2/build-2/blobs/${digest}`)).status, 403);
    assert.equal((await ask("PUT", "/v2/build-2/manifests/v1", { body: Buffer.from("{}") })).status, 403);
  });

  it("does not let one credential touch another's upload or see another's names", async () => {
    const other = intake.grant("build-1", { maxBytes: 1000 });
    const upload = await begin(other);
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const answer = await ask(method, upload);
      assert.deepEqual([answer.status, code(answer)], [404, "BLOB_UPLOAD_UNKNOWN"]);
    }
    const image = await freezeImage(store);
    assert.equal((await ask("HEAD", `/v2/build-1/manifests/${image.digest}`)).status, 404);
    await other.revoke();
  });

  it("serves no content, not even what was just pushed", async () => {
    const digest = await pushBlob(Buffer.from("another team's layer"));
    const head = await ask("HEAD", `/v2/build-1/blobs/${digest}`);
    assert.deepEqual([head.status, head.headers["content-length"]], [200, "20"]);
    for (const path of [`/v2/build-1/blobs/${digest}`, "/v2/build-1/manifests/v1", `/v2/build-1/manifests/${digest}`]) {
      const answer = await ask("GET", path);
      assert.deepEqual([answer.status, code(answer)], [405, "UNSUPPORTED"], path);
    }
    for (const path of ["/v2/_catalog", "/v2/build-1/tags/list"]) assert.equal((await ask("GET", path)).status, 404);
  });

  it("mounts a blob that the store has, and starts an upload for one that it lacks", async () => {
    const digest = await pushBlob(randomBytes(10));
    const mounted = await ask("POST", `/v2/build-1/blobs/uploads/?mount=${digest}&from=anything`);
    assert.deepEqual([mounted.status, mounted.headers["docker-content-digest"]], [201, digest]);
    const absent = await ask("POST", `/v2/build-1/blobs/uploads/?mount=sha256:${"0".repeat(64)}&from=anything`);
    assert.equal(absent.status, 202);
  });

  it("accepts a blob in pieces, reports the offset, and refuses a piece out of order", async () => {
    const upload = await begin();
    await ask("PATCH", upload, { headers: { "Content-Range": "0-4" }, body: Buffer.from("01234") });
    const wrong = await ask("PATCH", upload, { headers: { "Content-Range": "9-10" }, body: Buffer.from("9a") });
    assert.deepEqual([wrong.status, wrong.headers.range], [416, "0-4"]);
    const far = await ask("GET", upload);
    assert.deepEqual([far.status, far.headers.range], [204, "0-4"]);
    const done = await ask("PUT", `${upload}?digest=${digestOf(Buffer.from("0123456789"))}`, {
      headers: { "Content-Range": "5-9" },
      body: Buffer.from("56789"),
    });
    assert.equal(done.status, 201);
  });

  it("resumes an upload after a cut connection", async () => {
    const upload = await begin();
    const [host = "", port] = intake.host.split(":");
    const socket = connect(Number(port), host);
    const login = Buffer.from(`${grant.username}:${grant.password}`).toString("base64");
    socket.write(
      `PATCH ${upload} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${login}\r\nContent-Length: 10\r\n\r\n01234`,
    );
    await until("five bytes came", async () => (await ask("GET", upload)).headers.range === "0-4");
    socket.destroy();
    const digest = digestOf(Buffer.from("0123456789"));
    const rest = () => ask("PUT", `${upload}?digest=${digest}`, { body: Buffer.from("56789") });
    await until("the upload is free again", async () => (await rest()).status === 201);
    assert.ok(await store.has(digest));
  });

  it("stores nothing whose digest differs from the named one", async () => {
    for (const digest of [digestOf(Buffer.from("other")), "sha256:../../../etc/passwd", "", "md5:0"]) {
      const answer = await ask("PUT", `${await begin()}?digest=${encodeURIComponent(digest)}`, {
        body: Buffer.from("bytes"),
      });
      assert.deepEqual([answer.status, code(answer)], [400, "DIGEST_INVALID"]);
    }
    assert.equal(await store.has(digestOf(Buffer.from("bytes"))), false);
  });

  it("accepts no more bytes than were granted, over one upload or several at once, and take says why", async () => {
    const [first, second] = [await begin(), await begin()];
    assert.equal(grant.pushed("v1"), null);
    const answers = await Promise.all([
      ask("PATCH", first, { body: randomBytes(600_000) }),
      ask("PATCH", second, { body: randomBytes(600_000) }),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 413]);
    assert.throws(() => grant.pushed("v1"), { name: "UserError", code: "image-too-large" });
  });

  it("stops writing an endless upload at the limit", async () => {
    const upload = await begin();
    const source = manyBytes(100_000_000);
    const answer = await ask("PATCH", upload, { body: source }).catch((error) => error);
    source.destroy();
    if (!(answer instanceof Error)) assert.equal(answer.status, 413);
    assert.equal((await ask("GET", upload)).status, 404);
  });

  it("returns the granted bytes of a cancelled upload", async () => {
    for (let round = 0; round < 5; round++) {
      const upload = await begin();
      assert.equal((await ask("PATCH", upload, { body: randomBytes(900_000) })).status, 202);
      assert.equal((await ask("DELETE", upload)).status, 204);
    }
    assert.equal(grant.pushed("v1"), null);
  });

  it("bounds the number of simultaneous uploads", async () => {
    for (let number = 0; number < 50; number++) await begin();
    assert.equal((await ask("POST", "/v2/build-1/blobs/uploads/")).status, 429);
  });

  describe("that receives a manifest", () => {
    async function put(document: unknown, reference = "v1", type = manifestType): Promise<Answer> {
      const body = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
      return ask("PUT", `/v2/build-1/manifests/${reference}`, { headers: { "Content-Type": type }, body });
    }
    async function image() {
      const bytes = randomBytes(20);
      const part = { mediaType: "application/octet-stream", digest: await pushBlob(bytes), size: bytes.length };
      return { schemaVersion: 2, mediaType: manifestType, config: part, layers: [part] };
    }

    it("freezes a complete one under its tag, and answers HEAD with it", async () => {
      const document = await image();
      const bytes = Buffer.from(JSON.stringify(document));
      const answer = await put(document);
      assert.deepEqual([answer.status, answer.headers["docker-content-digest"]], [201, digestOf(bytes)]);
      assert.deepEqual(grant.pushed("v1"), {
        digest: digestOf(bytes),
        mediaType: manifestType,
        size: bytes.length + 20,
      });
      for (const reference of ["v1", digestOf(bytes)]) {
        const head = await ask("HEAD", `/v2/build-1/manifests/${reference}`);
        assert.deepEqual([head.status, head.headers["content-type"]], [200, manifestType]);
      }
      assert.equal(grant.pushed("v2"), null);
    });

    it("refuses one that names a missing blob or a wrong size", async () => {
      const document = await image();
      const absent = { ...document.config, digest: `sha256:${"0".repeat(64)}` };
      const missing = await put({ ...document, layers: [absent] });
      assert.deepEqual([missing.status, code(missing)], [400, "MANIFEST_BLOB_UNKNOWN"]);
      const lie = await put({
        ...document,
        layers: [{ ...document.config, digest: await pushBlob(randomBytes(5)), size: 6 }],
      });
      assert.deepEqual([lie.status, code(lie)], [400, "MANIFEST_INVALID"]);
      assert.equal(grant.pushed("v1"), null);
    });

    it("refuses one that is malformed, of another kind, too large, or under a wrong digest", async () => {
      const document = await image();
      assert.equal((await put(document, "v1", "application/json")).status, 415);
      assert.equal((await put(document, "v1", "application/vnd.docker.distribution.manifest.v2+json")).status, 400);
      assert.equal((await put(Buffer.from("{"))).status, 400);
      assert.equal((await put(Buffer.from("[".repeat(100_000)))).status, 400);
      assert.equal((await put({ ...document, __proto__: { config: 1 }, layers: "x" })).status, 400);
      const large = await put(Buffer.alloc(4 * 1024 * 1024 + 1, 32)).catch(() => ({ status: 413 }));
      assert.equal(large.status, 413);
      const other = await put(document, `sha256:${"0".repeat(64)}`);
      assert.deepEqual([other.status, code(other)], [400, "DIGEST_INVALID"]);
      assert.equal(grant.pushed("v1"), null);
    });
  });

  it("refuses hostile paths and methods, and never answers 5xx", async () => {
    const parts = [
      "v2",
      "build-1",
      "blobs",
      "uploads",
      "manifests",
      "..",
      ".",
      "",
      "%2e%2e",
      "%2f",
      "sha256:x",
      "?",
      "#",
      "\\",
      "etc",
      "passwd",
      "v1",
    ];
    const path = fc.array(fc.constantFrom(...parts), { maxLength: 8 }).map((each) => `/${each.join("/")}`);
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
    await fc.assert(
      fc.asyncProperty(method, path, async (how, where) => {
        const { status } = await ask(how, where);
        assert.ok(status < 500, `${how} ${where}: ${status}`);
      }),
      { numRuns: 300 },
    );
  });

  it("accepts a layer of 300 MB without holding it in memory", async function () {
    this.timeout(120_000);
    const large = intake.grant("build-1", { maxBytes: 400_000_000 });
    const upload = await begin(large);
    const started = Date.now();
    try {
      const grown = await memoryOf(async () => {
        const answer = await ask("PATCH", upload, { as: large, body: manyBytes(300_000_000) });
        assert.equal(answer.status, 202);
      });
      if (process.env.MEASURE) console.log(`      ${Date.now() - started} ms, RSS grew by ${grown.toFixed(0)} MB`);
      assert.ok(grown < 150, `RSS grew by ${grown.toFixed(0)} MB`);
    } finally {
      await large.revoke();
    }
  });

  it("fails at start-up and names the key if it cannot listen", async () => {
    for (const listen of [intake.host, "nonsense", "127.0.0.1:99999"]) {
      await assert.rejects(startIntake({ store, listen }), {
        name: "ConfigError",
        code: "intake-listen",
        message: /docker\.intake\.listen/,
      });
    }
  });
});
