import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type Dockerode from "dockerode";
import { pack } from "tar-stream";
import { type Grant, type Intake, startIntake } from "../../../src/store/intake.ts";
import { Store } from "../../../src/store/store.ts";
import { type Engine, startEngine } from "../../support/engine/engine.ts";
import { freezeImage, freezeIndex } from "../../support/fixtures/images.ts";
import { tempDir } from "../../support/processes/process.ts";

const run = promisify(execFile);
const maxBytes = 100_000_000;

describe("The intake, when an engine pushes an image,", function () {
  this.timeout(60_000);
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let engine: Engine;
  let store: Store;
  let intake: Intake;
  const images: string[] = [];
  before(async () => {
    dir = await tempDir();
    engine = await startEngine();
    store = new Store(join(dir.path, "store"));
    intake = await startIntake({ store, listen: "127.0.0.1:0" });
  });
  after(async () => {
    for (const image of images) await engine.docker.getImage(image).remove({ force: true });
    await intake.stop();
    await engine.stop();
    await dir.remove();
  });

  /** An image of two layers: a large one that is always the same, and a small one of its own. */
  async function build(repository: string): Promise<Dockerode.Image> {
    const tar = pack();
    tar.entry({ name: "Dockerfile" }, `FROM scratch\nCOPY base /base\nCOPY own /own\n`);
    tar.entry({ name: "base" }, base);
    tar.entry({ name: "own" }, randomBytes(1000));
    tar.finalize();
    const t = `${intake.host}/${repository}:v1`;
    await finished(await engine.docker.buildImage(tar as unknown as NodeJS.ReadableStream, { t }));
    images.push(t);
    return engine.docker.getImage(t);
  }
  const base = randomBytes(12_000_000);

  /** A failure may stand in the stream alone, with no error of its own. */
  async function finished(stream: NodeJS.ReadableStream): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      engine.docker.modem.followProgress(stream, (error, events: { error?: string }[] | null) => {
        const told = events?.find((event) => event.error !== undefined)?.error;
        if (error || told !== undefined) reject(error ?? new Error(told));
        else resolve();
      });
    });
  }

  async function push(image: Dockerode.Image, grant: Pick<Grant, "host" | "username" | "password">): Promise<void> {
    const { username, password, host } = grant;
    await finished(await image.push({ tag: "v1", authconfig: { username, password, serveraddress: host } }));
  }

  it("freezes the whole image under the digest that the engine reports", async () => {
    const grant = intake.grant("build-1", { maxBytes });
    const image = await build("build-1");
    await push(image, grant);
    const pushed = grant.pushed("v1");
    assert.ok(pushed);
    const { RepoDigests } = await image.inspect();
    assert.deepEqual(RepoDigests, [`${intake.host}/build-1@${pushed.digest}`]);
    const { blobs } = await store.contentOf(pushed.digest);
    for (const { digest, size } of blobs) assert.equal(await store.size(digest), size);
    await grant.revoke();
  });

  it("receives only what the store lacks, also under another repository's name", async () => {
    const image = await build("build-2");
    const grant = intake.grant("build-2", { maxBytes: 100_000 });
    const started = Date.now();
    await push(image, grant);
    if (process.env.MEASURE) console.log(`      ${Date.now() - started} ms`);
    assert.ok((grant.pushed("v1")?.size ?? 0) > 12_000_000, "far more than this grant could have sent");
    await grant.revoke();
  });

  it("refuses a revoked credential and a missing one", async () => {
    const image = await build("build-3");
    const grant = intake.grant("build-3", { maxBytes });
    await grant.revoke();
    await assert.rejects(push(image, grant));
    await assert.rejects(push(image, { ...grant, username: "x", password: "y" }));
    assert.equal(grant.pushed("v1"), null);
  });

  it("stops the engine at the grant's limit, and take says why", async () => {
    const image = await build("build-4");
    const grant = intake.grant("build-4", { maxBytes: 100 });
    await assert.rejects(push(image, grant), /one delivery may add at most 100 bytes|denied/);
    assert.throws(() => grant.pushed("v1"), { name: "UserError", code: "image-too-large" });
    await grant.revoke();
  });

  it("accepts any other client too, and an index of images", async () => {
    const source = new Store(join(dir.path, "layout"));
    const parts = [await freezeImage(source, { family: "oci" }), await freezeImage(source, { family: "oci" })];
    const index = await freezeIndex(source, parts);
    const manifest = { mediaType: index.mediaType, digest: index.digest, size: await source.size(index.digest) };
    await run(
      "sh",
      [
        "-c",
        'echo \'{"imageLayoutVersion":"1.0.0"}\' > oci-layout && printf %s "$0" > index.json',
        JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
      ],
      { cwd: join(dir.path, "layout") },
    );
    const grant = intake.grant("build-5", { maxBytes });
    const login = ["--dest-creds", `${grant.username}:${grant.password}`, "--dest-tls-verify=false"];
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      "--all",
      ...login,
      `oci:${join(dir.path, "layout")}`,
      `docker://${grant.host}/build-5:v1`,
    ]);
    assert.equal(grant.pushed("v1")?.digest, index.digest);
    await grant.revoke();
  });
});
