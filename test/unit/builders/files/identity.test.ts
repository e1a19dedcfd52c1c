import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { identifyPackage } from "../../../../src/builders/files/identity.ts";
import { UserError } from "../../../../src/delivery/errors.ts";
import type { ArtifactKind, FrozenFile } from "../../../../src/delivery/types.ts";
import { Store } from "../../../../src/store/store.ts";
import { tgzOf, zipOf } from "../../../support/fixtures/archives.ts";
import { tempDir } from "../../../support/processes/process.ts";

type Contents = Record<string, Buffer | string>;
const told = {
  DELIVERD_VERSION: "1.2.3-rc.1",
  DELIVERD_VERSION_PEP440: "1.2.3rc1",
  DELIVERD_VERSION_MAVEN: "1.2.3-rc.1",
};

describe("the identity of a built package", function () {
  this.timeout(30_000);
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  after(() => dir.remove());

  async function identityOf(kind: ArtifactKind, contents: Contents, variables: Record<string, string> = told) {
    const files: FrozenFile[] = [];
    for (const [name, content] of Object.entries(contents)) {
      const bytes = Buffer.from(content);
      files.push({ name, ...(await store.write(Readable.from([bytes]), { maxBytes: bytes.length })) });
    }
    return identifyPackage(store, { name: "client", kind }, files, variables);
  }

  async function refused(code: string, said: RegExp, kind: ArtifactKind, contents: Contents) {
    await assert.rejects(identityOf(kind, contents), (error) => {
      assert.ok(error instanceof UserError, String((error as Error).stack));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, said);
      return true;
    });
  }

  it("does not exist for plain files", async () => {
    assert.equal(await identityOf("file", { a: "1", b: "2" }), null);
  });

  describe("as an npm package", () => {
    const packed = (json: unknown, folder = "package") =>
      tgzOf({ [`${folder}/index.js`]: "x", [`${folder}/package.json`]: JSON.stringify(json) });

    it("is the name and version in package.json, as npm packs it", async () => {
      await writeFile(join(dir.path, "package.json"), JSON.stringify({ name: "@acme/client", version: "1.2.3-rc.1" }));
      const { stdout } = await promisify(execFile)("npm", ["pack", "--silent", "--offline"], { cwd: dir.path });
      const tgz = await readFile(join(dir.path, stdout.trim()));
      assert.deepEqual(await identityOf("npm", { "a.tgz": tgz }), { name: "@acme/client", version: "1.2.3-rc.1" });
    });

    it("is read from the first folder, whatever its name, and from no deeper one", async () => {
      const found = { name: "a", version: "1.2.3-rc.1" };
      assert.deepEqual(await identityOf("npm", { "a.tgz": await packed(found, "client") }), found);
      await refused("package-unreadable", /a\.tgz .*no package\/package\.json/, "npm", {
        "a.tgz": await packed(found, "a/b"),
      });
    });

    it("must have the version of the build: the message has both and the remedy", async () => {
      const tgz = await packed({ name: "a", version: "1.0.0" });
      await refused("package-version-differs", /version 1\.0\.0.*1\.2\.3-rc\.1.*\$DELIVERD_VERSION/, "npm", {
        "a.tgz": tgz,
      });
    });

    it("needs exactly one .tgz", async () => {
      const tgz = await packed({ name: "a", version: "1.2.3-rc.1" });
      await refused("wrong-files", /matches a\.tgz, b\.tgz; .*exactly one \.tgz/, "npm", {
        "a.tgz": tgz,
        "b.tgz": tgz,
      });
      await refused("wrong-files", /matches a\.zip;/, "npm", { "a.zip": tgz });
    });

    it("cannot be damaged, without a name, or no archive at all", async () => {
      const whole = await packed({ name: "a", version: "1.2.3-rc.1", filler: "x".repeat(9_000) });
      for (const tgz of [
        "nonsense",
        "",
        whole.subarray(0, 100),
        gzipSync("x".repeat(2_000)),
        await packed({ name: "a" }),
        await packed([]),
      ])
        await refused("package-unreadable", /a\.tgz cannot be read as an artifact of kind npm: \S/, "npm", {
          "a.tgz": Buffer.from(tgz),
        });
    });
  });

  describe("as a Python project", () => {
    const metadata = (version: string, name = "Acme.Client") =>
      `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nName: not-this\nVersion: 9\n`;
    const wheel = (version = "1.2.3rc1", name?: string) =>
      zipOf({
        "acme/__init__.py": "",
        "acme_client-1.dist-info/METADATA": metadata(version, name),
        "a/b.dist-info/METADATA": "x",
      });
    const sdist = (version = "1.2.3rc1") =>
      tgzOf({
        "acme_client-1/setup.py": "",
        "acme_client-1/PKG-INFO": metadata(version),
        "acme_client-1/x/PKG-INFO": "",
      });
    const wheelName = "acme_client-1.2.3rc1-py3-none-any.whl";
    const identity = { name: "Acme.Client", version: "1.2.3rc1" };

    it("is Name and Version of a wheel's METADATA, of an sdist's PKG-INFO", async () => {
      assert.deepEqual(await identityOf("wheel", { [wheelName]: wheel() }), identity);
      assert.deepEqual(await identityOf("wheel", { "acme_client-1.2.3rc1.tar.gz": await sdist() }), identity);
      const both = { "acme-client-1.2.3rc1.tar.gz": await sdist(), [wheelName]: wheel("1.2.3-RC.1", "acme-client") };
      assert.deepEqual(await identityOf("wheel", both), identity);
    });

    it("has to bear the version it was built under, however PEP 440 lets it be written", async () => {
      const name = "acme_client-1.2.3-py3-none-any.whl";
      await refused(
        "package-version-differs",
        /version 1\.2\.3 inside, .*1\.2\.3rc1.*\$DELIVERD_VERSION_PEP440/,
        "wheel",
        {
          [name]: wheel("1.2.3"),
        },
      );
      await refused("package-version-differs", /version latest inside/, "wheel", { [name]: wheel("latest") });
    });

    it("must agree with the file names", async () => {
      for (const name of ["other-1.2.3rc1-py3-none-any.whl", "acme_client-1.2.4-py3-none-any.whl", "acme_client.whl"])
        await refused("wrong-files", /whose name says Acme\.Client 1\.2\.3rc1/, "wheel", {
          [name]: wheel(),
        });
    });

    it("is of one project, with one sdist at most, and nothing else", async () => {
      const other = { [wheelName]: wheel(), "other-1.2.3rc1-py3-none-any.whl": wheel("1.2.3rc1", "other") };
      await refused("wrong-files", /one project and version/, "wheel", other);
      await refused("wrong-files", /notes\.txt/, "wheel", { [wheelName]: wheel(), "notes.txt": "x" });
      const two = { "acme_client-1.2.3rc1.tar.gz": await sdist(), "acme.client-1.2.3rc1.tar.gz": await sdist() };
      await refused("wrong-files", /at most one sdist/, "wheel", two);
    });

    it("cannot be damaged or without its metadata", async () => {
      for (const zip of [Buffer.from("nonsense"), Buffer.alloc(0), wheel().subarray(0, 90), zipOf({ "a.txt": "" })])
        await refused("package-unreadable", /cannot be read/, "wheel", { [wheelName]: zip });
    });
  });

  describe("as a jar", () => {
    const pom = (version: string, more = "") =>
      `<?xml version="1.0"?>\n<!-- <version>8</version> -->\n<project xmlns="http://maven.apache.org/POM/4.0.0"><parent><groupId>org.acme</groupId><artifactId>all</artifactId><version>7</version></parent><artifactId>lib</artifactId>${version && `<version> ${version} </version>`}${more}</project>`;
    const properties = (version: string) =>
      `#Created by Maven\r\ngroupId=org.acme\r\nartifactId=lib\r\nversion=${version}\r\n`;
    const folder = "META-INF/maven/org.acme/lib";
    const jar = (files: Contents = {}) => zipOf({ "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", ...files });
    const identity = { name: "org.acme:lib", version: "1.2.3-rc.1" };

    it("is what Maven packed into it, what it filled in before what is written in the POM", async () => {
      const filled = {
        [`${folder}/pom.xml`]: pom(`${"$"}{revision}`),
        [`${folder}/pom.properties`]: properties("1.2.3-rc.1"),
      };
      assert.deepEqual(await identityOf("jar", { "lib.jar": jar(filled) }), identity);
      assert.deepEqual(
        await identityOf("jar", { "lib.war": jar({ [`${folder}/pom.xml`]: pom("1.2.3-rc.1") }) }),
        identity,
      );
    });

    it("is what the POM beside it says", async () => {
      assert.deepEqual(await identityOf("jar", { "lib.jar": jar(), "lib.pom": pom("1.2.3-rc.1") }), identity);
      await refused("package-version-differs", /lib\.pom has version 7 inside/, "jar", {
        "lib.jar": jar(),
        "lib.pom": pom(""),
      });
    });

    it("does not exist without a POM, or with several", async () => {
      assert.equal(await identityOf("jar", { "lib.jar": jar() }), null);
      const fat = { [`${folder}/pom.xml`]: pom("1"), "META-INF/maven/org.other/x/pom.properties": properties("2") };
      assert.equal(await identityOf("jar", { "lib.jar": jar(fat) }), null);
    });

    it("has to bear the version it was built under", async () => {
      const old = jar({ [`${folder}/pom.properties`]: properties("1.0") });
      await refused(
        "package-version-differs",
        /lib\.jar .*version 1\.0 inside, .*1\.2\.3-rc\.1.*\$DELIVERD_VERSION_MAVEN/,
        "jar",
        { "lib.jar": old },
      );
    });

    it("is one jar with its classifiers and its POM", async () => {
      const all = {
        "lib-1.jar": jar(),
        "lib-1-sources.jar": jar(),
        "lib-1-javadoc.jar": jar(),
        "any.pom": pom("1.2.3-rc.1"),
      };
      assert.deepEqual(await identityOf("jar", all), identity);
      for (const files of [
        { "a.jar": jar(), "b.jar": jar() },
        { "a.jar": jar(), "a.txt": "" },
        { "a.pom": pom("1") },
        { "a.jar": jar(), "a.war": jar() },
      ])
        await refused("wrong-files", /one \.jar or \.war/, "jar", files);
    });

    it("needs a valid POM", async () => {
      for (const text of [
        "",
        "<project>",
        "<html/>",
        "<project/>",
        `<!DOCTYPE p [<!ENTITY a "b">]><project>&a;</project>`,
      ])
        await refused("package-unreadable", /lib\.pom/, "jar", { "lib.jar": jar(), "lib.pom": text });
    });
  });

  describe("as a machine image", () => {
    it("does not exist: it is one raw disk of whole sectors", async () => {
      assert.equal(await identityOf("ami", { "disk.raw": Buffer.alloc(1024, 1) }), null);
      await refused("wrong-files", /a\.raw, b\.raw; .*one raw disk image/, "ami", {
        "a.raw": Buffer.alloc(512),
        "b.raw": Buffer.alloc(512),
      });
      for (const bytes of [Buffer.alloc(0), Buffer.alloc(1000)])
        await refused("wrong-files", /not a multiple of a sector/, "ami", { "disk.raw": bytes });
      const qcow2 = Buffer.alloc(512);
      qcow2.write("QFI\xfb", "latin1");
      await refused("wrong-files", /is a qcow2 image/, "ami", { "disk.raw": qcow2 });
    });
  });

  describe("in a hostile archive", () => {
    const name = "a-1.2.3rc1-py3-none-any.whl";
    const metadata = "a-1.dist-info/METADATA";
    const big = Buffer.alloc(3 * 2 ** 20, "x");

    it("is not unpacked beyond a megabyte, whatever it claims", async () => {
      await refused("package-unreadable", /more than 1048576 bytes/, "wheel", { [name]: zipOf({ [metadata]: big }) });
      await refused("package-unreadable", /cannot be read/, "wheel", {
        [name]: zipOf({ [metadata]: big }, { [metadata]: 100 }),
      });
      const tgz = await tgzOf({ "package/package.json": big });
      await refused("package-unreadable", /more than 1048576 bytes/, "npm", { "a.tgz": tgz });
    });

    it("skips large files without holding them in memory", async () => {
      const tgz = await tgzOf({
        "package/zeros": 150 * 2 ** 20,
        "package/package.json": '{"name":"a","version":"1.2.3-rc.1"}',
      });
      const before = process.memoryUsage().rss;
      assert.equal((await identityOf("npm", { "a.tgz": tgz }))?.name, "a");
      assert.ok(process.memoryUsage().rss - before < 64e6);
    });

    it("opens no path that the archive names", async () => {
      await refused("package-unreadable", /invalid relative path|no \*\.dist-info/, "wheel", {
        [name]: zipOf({ "../a.dist-info/METADATA": "" }),
      });
    });
  });
});
