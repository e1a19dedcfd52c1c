import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { basicAuth } from "../../../src/http/login.ts";
import { mavenRegistry } from "../../../src/registries/maven/registry.ts";
import { MavenShelf } from "../../../src/registries/protocols/maven/shelf.ts";
import { compareVersions } from "../../../src/registries/protocols/maven/version-order.ts";
import { Store } from "../../../src/store/store.ts";
import { type FilesByName, freeze, jar } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir } from "../../support/processes/process.ts";
import { startNginx } from "../../support/registries/files/nginx.ts";
import { type FileServer, LOGIN } from "../../support/registries/files/server.ts";
import { itKeepsContent, type Place } from "./contract.ts";

const run = promisify(execFile);
const GET = "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:get";

/** Maven with the plugins that Debian has. A checksum of ours that is wrong or missing ends it. @returns what lies in its own repository then */
async function resolve(url: string, artifact: string): Promise<FilesByName> {
  const dir = await tempDir();
  try {
    const settings = join(dir.path, "settings.xml");
    const debian = "<id>central</id><url>file:///usr/share/maven-repo</url>";
    await writeFile(
      settings,
      `<settings><localRepository>${dir.path}/local</localRepository>
        <servers><server><id>r</id><username>${LOGIN.username}</username><password>${LOGIN.password}</password></server></servers>
        <profiles><profile><id>debian</id>
          <repositories><repository>${debian}</repository><repository><id>r</id><url>${url}</url>
            <releases><checksumPolicy>fail</checksumPolicy></releases></repository></repositories>
          <pluginRepositories><pluginRepository>${debian}</pluginRepository></pluginRepositories>
        </profile></profiles><activeProfiles><activeProfile>debian</activeProfile></activeProfiles></settings>`,
    );
    const options = ["-B", "-q", "-s", settings, "-Dtransitive=false"];
    await run("mvn", [...options, `-Dartifact=${artifact}`, GET], { env: { PATH: process.env.PATH, HOME: dir.path } });
    const [group = "", name = ""] = artifact.split(":");
    const folder = join(dir.path, "local", group.replaceAll(".", "/"), name);
    const [version = ""] = await readdir(folder);
    const files = (await readdir(join(folder, version))).filter((file) => /\.(?:jar|pom)$/.test(file));
    const read = files.map(async (file) => [file, await readFile(join(folder, version, file))] as const);
    return Object.fromEntries(await Promise.all(read));
  } finally {
    await dir.remove();
  }
}

function placeOf(server: FileServer): Place {
  const at = (origin: string) => `${origin}/maven/releases`;
  return {
    kind: "jar",
    origin: server.url,
    config: (origin, secret = LOGIN.password) => ({
      type: "maven",
      url: at(origin),
      username: LOGIN.username,
      password: secret,
    }),
    shelf: (origin, authorize) => new MavenShelf({ label: "maven", url: new URL(at(origin)), authorize }),
    authorization: basicAuth(LOGIN.username, LOGIN.password),
    secrets: [LOGIN.password, basicAuth(LOGIN.username, LOGIN.password).slice("Basic ".length)],
    name: (version) => ({ repository: "org.example:hello", tag: version }),
    files: async (version, salt) => ({
      [`hello-${version}.jar`]: await jar({ "hello.txt": `${version} ${salt}` }),
      [`hello-${version}.pom`]: Buffer.from(pom("org.example", "hello", version, salt)),
    }),
    sends: ({ method, url }, file) => method === "PUT" && url.endsWith(`/${file}`),
    readBack: ({ repository, tag }) => resolve(at(server.url), `${repository}:${tag}`),
    guards: false,
    holds: server.holds,
    stop: server.stop,
  };
}

function pom(group: string, artifact: string, version: string, comment = ""): string {
  return `<?xml version="1.0"?>
<project><!-- ${comment} --><modelVersion>4.0.0</modelVersion>
  <groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>
  <scm><url>https://example.com/theirs</url></scm>
</project>
`;
}

itKeepsContent("a Maven repository (nginx)", async () => placeOf(await startNginx("basic")));

describe("the files that deliverd publishes to a Maven repository", () => {
  let server: FileServer;
  let dir: { path: string; remove(): Promise<void> };

  before(async () => {
    server = await startNginx("basic");
    dir = await tempDir();
  });
  after(async () => {
    await server?.stop();
    await dir?.remove();
  });

  const publish = async (repository: string, version: string, files: FilesByName) => {
    const store = new Store(join(dir.path, "store"));
    const registry = mavenRegistry("maven", { url: server.url, ...LOGIN }, { store });
    const name = { registry: "maven", repository, tag: version, immutable: true };
    return registry.publish(await freeze(store, files, "jar"), name, testRun());
  };
  const read = async (path: string) => {
    const headers = { Authorization: basicAuth(LOGIN.username, LOGIN.password) };
    const answer = await fetch(`${server.url}/${path}`, { headers });
    return answer.ok ? answer.text() : null;
  };

  it("is the newest version as latest, and the newest release as release, whatever came last", async () => {
    for (const version of ["1.2.4", "1.10.0-alpha.3.gab12cd3", "1.2.5", "1.2.4-alpha.5.gab12cd4"]) {
      await publish("org.example:order", version, { "order.jar": Buffer.from(version) });
    }
    const xml = (await read("org/example/order/maven-metadata.xml")) ?? "";
    assert.match(xml, /<latest>1\.10\.0-alpha\.3\.gab12cd3<\/latest>\s*<release>1\.2\.5<\/release>/);
    const versions = [...xml.matchAll(/<version>([^<]*)</g)].map(([, version]) => version);
    assert.deepEqual(versions, ["1.2.4-alpha.5.gab12cd4", "1.2.4", "1.2.5", "1.10.0-alpha.3.gab12cd3"]);
  });

  it("lists every version, of those too that came at the same time", async () => {
    const store = new Store(join(dir.path, "store"));
    const registry = mavenRegistry("maven", { url: server.url, ...LOGIN }, { store });
    const versions = ["1.0", "1.1", "1.2", "1.3"];
    const publishing = versions.map(async (tag) => {
      const content = await freeze(store, { "same.jar": Buffer.from(tag) }, "jar");
      const name = { registry: "maven", repository: "org.example:same", tag, immutable: true };
      await registry.publish(content, name, testRun());
    });
    await Promise.all(publishing);
    const xml = (await read("org/example/same/maven-metadata.xml")) ?? "";
    const listed = [...xml.matchAll(/<version>([^<]*)</g)].map(([, version]) => version);
    assert.deepEqual(listed, versions);
  });

  it("has classifiers, checksums, metadata beside it, and the POM from inside the jar, untouched", async () => {
    const inside = pom("org.example", "inside", "2.0.0");
    const main = await jar({ "META-INF/maven/org.example/inside/pom.xml": inside });
    await publish("org.example:inside", "2.0.0", { "app.jar": main, "app-sources.jar": Buffer.from("sources") });
    const base = "org/example/inside/2.0.0/inside-2.0.0";
    const expected = [".jar", "-sources.jar", ".pom", "-deliverd.json"].flatMap((suffix) =>
      ["", ".md5", ".sha1", ".sha256"].map((checksum) => `${base}${suffix}${checksum}`),
    );
    const held = (await server.holds()).filter((path) => path.startsWith(base));
    assert.deepEqual(held, expected.sort());
    assert.equal(await read(`${base}.pom`), inside);
    assert.match((await read(`${base}-deliverd.json`)) ?? "", /"org.opencontainers.image.revision": "ab12cd3"/);
  });

  it("has a POM of the least where a build makes none", async () => {
    await publish("org.example:bare", "1.0.0", { "bare.war": Buffer.from("no zip at all") });
    const xml = (await read("org/example/bare/1.0.0/bare-1.0.0.pom")) ?? "";
    assert.match(xml, /<packaging>war<\/packaging>/);
    assert.match(xml, /<scm>\s*<tag>ab12cd3<\/tag>\s*<\/scm>/);
  });

  it("leaves a list alone that nobody can read, and says where it is", async () => {
    const put = (body: string) =>
      fetch(`${server.url}/org/example/broken/maven-metadata.xml`, {
        method: "PUT",
        body,
        headers: { Authorization: basicAuth(LOGIN.username, LOGIN.password) },
      });
    // A page, or nothing, comes from something in front of the repository, and passes.
    const answers = {
      "<html>busy</html>": "registry-unavailable",
      "": "registry-unavailable",
      "<metadata><versioning>": "registry-refused",
    };
    for (const [text, code] of Object.entries(answers)) {
      await put(text);
      await assert.rejects(publish("org.example:broken", "1.0.0", { "broken.jar": Buffer.from("1") }), {
        code,
        message: /org\/example\/broken\/maven-metadata\.xml/,
      });
      assert.equal(await read("org/example/broken/maven-metadata.xml"), text);
    }
  });

  it("becomes whole again where a version was left without its checksums", async () => {
    const files = { "late.jar": Buffer.from("late") };
    const put = (path: string) =>
      fetch(`${server.url}/${path}`, {
        method: "PUT",
        body: "late",
        headers: { Authorization: basicAuth(LOGIN.username, LOGIN.password) },
      });
    await put("org/example/late/1.0.0/late-1.0.0.jar");
    await publish("org.example:late", "1.0.0", files);
    assert.match((await read("org/example/late/1.0.0/late-1.0.0.jar.sha1")) ?? "", /^[0-9a-f]{40}$/);
    assert.match((await read("org/example/late/maven-metadata.xml")) ?? "", /<release>1\.0\.0</);
  });
});

describe("the order of Maven's versions", () => {
  it("is that of Maven itself", async function () {
    this.timeout(60_000);
    // Its own versions differ about a qualifier after a dot: none here.
    const versions = [
      "1",
      "1.0",
      "1.0.0",
      "1-1",
      "1.1",
      "1.0.1",
      "1-SNAPSHOT",
      "1.0-rc1",
      "1.0-cr2",
      "1.0-alpha",
      "1.0-a1",
      "1.0-beta-2",
      "1.0-m3",
      "1.0-sp",
      "1.0-sp1",
      "1.0.Final",
      "1.0-GA",
      "1.0-foo",
      "1.0-1",
      "1.2.4",
      "1.2.4-5",
      "1.2.4-alpha.5.gab12cd3",
      "1.2.4-alpha.12.g0000000",
      "1.10.0",
      "2",
      "1.0-20231123",
      "1.x",
      "1.0.0-foo.bar",
      "1.0.0.0.1",
      "01.2",
      "1.2_3",
    ];
    const pairs = versions.flatMap((a) => versions.map((b) => [a, b] as const));
    const classPath = (await readdir("/usr/share/maven/lib")).map((name) => `/usr/share/maven/lib/${name}`).join(":");
    const main = "org.apache.maven.artifact.versioning.ComparableVersion";
    const { stdout } = await run("java", ["-cp", classPath, main, ...pairs.flat()], { maxBuffer: 10_000_000 });
    const told = [...stdout.matchAll(/^ {3}(\S+) (<|==|>) (\S+)$/gm)];
    // It compares each of its arguments with the one before.
    assert.ok(told.length >= pairs.length);
    const wrong = told.filter(([, a = "", sign, b = ""]) => {
      const order = compareVersions(a, b);
      return sign !== (order < 0 ? "<" : order > 0 ? ">" : "==");
    });
    assert.deepEqual([...new Set(wrong.map(([line]) => line.trim()))], []);
  });
});
