import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { npmPackage, wheel } from "../../support/fixtures/packages.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type ArtifactoryStandIn, startArtifactory } from "../../support/registries/artifactory/server.ts";
import { startRegistry } from "../../support/registries/docker-registry.ts";
import { startPypi } from "../../support/registries/files/pypi.ts";
import { TOKEN } from "../../support/registries/files/server.ts";
import { startVerdaccio } from "../../support/registries/files/verdaccio.ts";

const run = promisify(execFile);

describe("The Artifactory stand-in accepts the upload of", function () {
  this.timeout(60_000);
  let art: ArtifactoryStandIn;
  let dir: { path: string; remove(): Promise<void> };
  let stop: (() => Promise<unknown>)[] = [];

  before(async () => {
    dir = await tempDir();
    const [docker, verdaccio, pypi] = await Promise.all([startRegistry(), startVerdaccio(), startPypi()]);
    art = await startArtifactory(
      { images: "docker", modules: "npm", wheels: "pypi" },
      {
        ...{ docker: docker.url, npm: verdaccio.url, npmToken: verdaccio.token, pypi: new URL(pypi.url).origin },
        pypiLogin: `Basic ${Buffer.from(`__token__:${TOKEN}`).toString("base64")}`,
      },
    );
    stop = [art.stop, docker.stop, verdaccio.stop, pypi.stop, dir.remove];
  });
  after(async () => {
    for (const step of stop) await step();
  });
  afterEach(() => assert.deepEqual(art.violations, []));

  const env = () => ({ PATH: process.env.PATH, HOME: dir.path });

  it("npm publish", async () => {
    const bytes = await npmPackage("@acme/by-npm", "1.0.0");
    const registry = `${art.url}/api/npm/modules/`;
    await writeFile(join(dir.path, "p.tgz"), bytes);
    await writeFile(
      join(dir.path, ".npmrc"),
      `registry=${registry}\n${registry.slice("http:".length)}:_authToken=${art.token}\nupdate-notifier=false\n`,
    );
    await run("npm", ["publish", "./p.tgz"], { cwd: dir.path, env: env() });
    assert.deepEqual(art.storage.files.get("modules/@acme/by-npm/-/@acme/by-npm-1.0.0.tgz")?.bytes, bytes);
  });

  it("twine upload", async () => {
    const name = "by_twine-1.0.0-py3-none-any.whl";
    const bytes = await wheel("by-twine", "1.0.0");
    await writeFile(join(dir.path, name), bytes);
    const login = ["-u", art.username, "-p", art.password];
    const to = ["--non-interactive", "--disable-progress-bar", "--repository-url", `${art.url}/api/pypi/wheels`];
    await run("/usr/bin/twine", ["upload", ...to, ...login, name], { cwd: dir.path, env: env() });
    assert.deepEqual(art.storage.files.get(`wheels/by-twine/1.0.0/${name}`)?.bytes, bytes);
  });

  it("skopeo copy", async () => {
    const layout = join(dir.path, "layout");
    await mkdir(layout);
    const image = await freezeImage(new Store(dir.path), { family: "oci" });
    const blobs = join(layout, "blobs");
    await run("cp", ["-r", join(dir.path, "blobs"), blobs]);
    await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const { mediaType, digest, size } = image;
    await writeFile(
      join(layout, "index.json"),
      JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size }] }),
    );
    const login = ["--dest-creds", `${art.username}:${art.token}`, "--dest-tls-verify=false"];
    const to = `docker://${art.host}/images/acme/api:1.0.0`;
    await run("skopeo", ["--insecure-policy", "copy", ...login, `oci:${layout}`, to], { env: env() });
    const kept = art.storage.within("images/acme/api/1.0.0").map(([path]) => path.split("/").at(-1));
    assert.ok(kept.includes("manifest.json"));
    assert.equal(kept.length, 4);
  });
});
