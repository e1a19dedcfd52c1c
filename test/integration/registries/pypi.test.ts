import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { TransientError } from "../../../src/delivery/errors.ts";
import { basicAuth } from "../../../src/http/login.ts";
import { PypiShelf } from "../../../src/registries/protocols/pypi/shelf.ts";
import { pypiRegistry } from "../../../src/registries/pypi/registry.ts";
import { Store } from "../../../src/store/store.ts";
import { type FilesByName, freeze, sdist, wheel } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type PypiStandIn, startPypi, type Upload } from "../../support/registries/files/pypi.ts";
import { TOKEN } from "../../support/registries/files/server.ts";
import { itKeepsContent, type Place } from "./contract.ts";

const run = promisify(execFile);
const PROJECT = "acme-hello";

/** pip, with no settings but these. */
async function download(index: string, version: string, ...options: string[]): Promise<FilesByName> {
  const dir = await tempDir();
  try {
    const env = { PATH: process.env.PATH, HOME: dir.path, PIP_CONFIG_FILE: "/dev/null", PIP_NO_CACHE_DIR: "1" };
    const args = ["-m", "pip", "download", "--isolated", "--quiet", "--no-deps", "--no-build-isolation", ...options];
    await run("/usr/bin/python3", [...args, "--index-url", index, "-d", dir.path, `${PROJECT}==${version}`], { env });
    return filesIn(dir.path);
  } finally {
    await dir.remove();
  }
}

async function filesIn(directory: string): Promise<FilesByName> {
  const names = (await readdir(directory)).filter((name) => /\.(?:whl|gz)$/.test(name));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))])),
  );
}

/** By their names, repeated ones in their order; twine sends the empty ones too, which say nothing. */
function told(fields: [string, string][] = []): [string, string][] {
  return fields.filter(([, value]) => value !== "").sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Debian's twine is 4.0; twine 6 calls these as Warehouse's form does, as we do: twine/package.py, twine/sdist.py. */
function asTwineToday({ fields, file }: Upload): [string, string][] {
  const source: [string, string][] = file.endsWith(".whl") ? [] : [["pyversion", "source"]];
  const renamed = fields.map(([name, value]): [string, string] => [
    name === "provides_extras" ? "provides_extra" : name,
    value,
  ]);
  return [...renamed, ...source];
}

function placeOf(server: PypiStandIn): Place {
  const at = (origin: string, url: string) => url.replace(new URL(server.url).origin, origin);
  return {
    kind: "wheel",
    origin: new URL(server.url).origin,
    config: (origin, secret = TOKEN) => ({
      type: "pypi",
      url: at(origin, server.url),
      index: at(origin, server.index),
      token: secret,
    }),
    shelf: (origin, authorize) =>
      new PypiShelf({
        label: "pypi",
        url: new URL(at(origin, server.url)),
        index: new URL(at(origin, server.index)),
        authorize,
      }),
    authorization: basicAuth("__token__", TOKEN),
    secrets: [TOKEN, basicAuth("__token__", TOKEN).slice("Basic ".length)],
    name: (version) => ({ repository: PROJECT, tag: version }),
    files: async (version, salt) => ({
      [`acme_hello-${version}-py3-none-any.whl`]: await wheel("Acme.Hello", version, salt),
    }),
    sends: ({ method }) => method === "POST",
    readBack: ({ tag }) => download(server.index, tag),
    guards: true,
    holds: server.holds,
    stop: server.stop,
  };
}

itKeepsContent("an index of Python packages (stand-in for PyPI)", async () => placeOf(await startPypi()));

describe("an upload to an index of Python packages", () => {
  let server: PypiStandIn;
  let dir: { path: string; remove(): Promise<void> };

  beforeEach(async () => {
    server = await startPypi();
    dir = await tempDir();
  });
  afterEach(async () => {
    await server?.stop();
    await dir?.remove();
  });

  const publish = async (files: FilesByName, version: string) => {
    const store = new Store(join(dir.path, "store"));
    const registry = pypiRegistry("pypi", { url: server.url, index: server.index, token: TOKEN }, { store });
    const name = { registry: "pypi", repository: PROJECT, tag: version, immutable: true };
    return registry.publish(await freeze(store, files, "wheel"), name, testRun());
  };

  it("says of a wheel and a source distribution what twine says, field by field", async function () {
    this.timeout(60_000);
    const dist = join(dir.path, "dist");
    await mkdir(dist);
    await writeFile(join(dist, "acme_hello-1.0.0-py3-none-any.whl"), await wheel("Acme.Hello", "1.0.0"));
    await writeFile(join(dist, "acme_hello-1.0.0.tar.gz"), await sdist("acme_hello", "1.0.0"));
    const options = ["--non-interactive", "--disable-progress-bar", "--config-file", "/dev/null"];
    const login = ["--repository-url", server.url, "-u", "__token__", "-p", TOKEN];
    const files = (await readdir(dist)).map((name) => join(dist, name));
    await run("/usr/bin/twine", ["upload", ...options, ...login, ...files], {
      env: { PATH: process.env.PATH, HOME: dir.path },
    });
    const byTwine = server.uploads.splice(0);
    assert.equal(byTwine.length, 2);
    await publish(await filesIn(dist), "1.0.0");
    for (const theirs of byTwine) {
      const ours = server.uploads.find(({ file }) => file === theirs.file);
      assert.deepEqual(told(ours?.fields), told(asTwineToday(theirs)));
      assert.deepEqual(ours?.bytes, theirs.bytes);
    }
  });

  it("may be a source distribution alone", async () => {
    const files = { "acme_hello-1.0.0.tar.gz": await sdist("acme_hello", "1.0.0") };
    await publish(files, "1.0.0");
    const [listed] = server.uploads;
    assert.deepEqual(listed?.bytes, files["acme_hello-1.0.0.tar.gz"]);
  });

  it("waits for an index that does not show it yet", async () => {
    const files = { "acme_hello-1.0.0-py3-none-any.whl": await wheel("Acme.Hello", "1.0.0") };
    // Each attempt looks once before it sends, and five times afterwards.
    server.lag = 12;
    for (const attempt of ["first", "second"]) {
      await assert.rejects(publish(files, "1.0.0"), (error) => {
        assert.ok(error instanceof TransientError, attempt);
        assert.equal(error.code, "registry-behind");
        assert.equal(error.retryAfter, 5_000);
        return true;
      });
    }
    await publish(files, "1.0.0");
    assert.equal(server.uploads.length, 1);
  });

  it("of what is no package is the user's error", async () => {
    await assert.rejects(publish({ "acme_hello-1.0.0.tar.gz": Buffer.from("hello") }, "1.0.0"), {
      code: "python-package",
    });
    assert.deepEqual(server.uploads, []);
  });
});
