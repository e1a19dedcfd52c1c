import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ArtifactKind, Location } from "../../../src/delivery/types.ts";
import { ArtifactoryApi } from "../../../src/registries/artifactory/api.ts";
import { GenericShelf } from "../../../src/registries/artifactory/generic.ts";
import { StampedShelf } from "../../../src/registries/artifactory/stamped.ts";
import type { Shelf } from "../../../src/registries/protocols/files/shelf.ts";
import type { HttpEndpoint } from "../../../src/registries/protocols/http/client.ts";
import { MavenShelf } from "../../../src/registries/protocols/maven/shelf.ts";
import { NpmShelf } from "../../../src/registries/protocols/npm/shelf.ts";
import { PypiShelf } from "../../../src/registries/protocols/pypi/shelf.ts";
import { type FilesByName, jar, npmPackage, wheel } from "../../support/fixtures/packages.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type ArtifactoryStandIn, startArtifactory } from "../../support/registries/artifactory/server.ts";
import type { PackageType } from "../../support/registries/artifactory/storage.ts";
import { startPypi } from "../../support/registries/files/pypi.ts";
import { TOKEN } from "../../support/registries/files/server.ts";
import { startVerdaccio } from "../../support/registries/files/verdaccio.ts";
import { itKeepsContent, type Place } from "./contract.ts";

const run = promisify(execFile);
const REPOSITORY = "local";

type Own = Pick<Place, "kind" | "name" | "files" | "sends" | "readBack" | "identity"> & {
  shelf(at: (path: string) => HttpEndpoint): Shelf;
};

/** The stand-in with one repository, and what all types of them have alike. */
function placeOf(
  art: ArtifactoryStandIn,
  type: PackageType,
  own: Own,
  stop: () => Promise<void> = async () => {},
): Place {
  return {
    ...own,
    guards: true,
    origin: `http://${art.host}`,
    config: (origin, secret = art.password) => ({
      type: "artifactory",
      url: `${origin}/artifactory`,
      username: art.username,
      password: secret,
      repositories: { [type]: REPOSITORY },
    }),
    shelf(origin, authorize) {
      const at = (path: string) => ({ label: "art", url: new URL(`${origin}/artifactory/${path}`), authorize });
      const shelf = own.shelf(at);
      return type === "generic" ? shelf : new StampedShelf(shelf, new ArtifactoryApi(at("")), REPOSITORY);
    },
    authorization: `Basic ${Buffer.from(`${art.username}:${art.password}`).toString("base64")}`,
    secrets: [art.password, Buffer.from(`${art.username}:${art.password}`).toString("base64")],
    holds: async () => [...art.storage.files.keys()].sort(),
    async stop() {
      await art.stop();
      await stop();
    },
  };
}

/** Runs a client in a folder of its own, and reads what it left there. */
async function fetched(client: (directory: string) => Promise<unknown>): Promise<Buffer[]> {
  const dir = await tempDir();
  try {
    await client(dir.path);
    const names = (await readdir(dir.path)).filter((name) => /\.(?:tgz|whl|jar|bin|txt)$/.test(name)).sort();
    return await Promise.all(names.map((name) => readFile(join(dir.path, name))));
  } finally {
    await dir.remove();
  }
}

function under(names: string[], bytes: Buffer[]): FilesByName {
  return Object.fromEntries(names.toSorted().map((name, index) => [name, bytes[index] ?? Buffer.alloc(0)]));
}

itKeepsContent("Artifactory, a generic repository (stand-in)", async () => {
  const art = await startArtifactory({ [REPOSITORY]: "generic" });
  return placeOf(art, "generic", {
    kind: "file",
    shelf: (at) => new GenericShelf(new ArtifactoryApi(at("")), REPOSITORY),
    name: (version) => ({ repository: "acme/tool", tag: version }),
    // Large enough to be offered by its checksum first.
    files: async (version, salt) => ({ "tool.bin": Buffer.alloc(20_000, `${version}${salt}`) }),
    sends: ({ method, url, headers }, file) =>
      method === "PUT" && url.includes(`/${file}`) && headers["x-checksum-deploy"] === undefined,
    readBack: async ({ pull }, files) => {
      const command = pull.replaceAll("<user>:<token>", `${art.username}:${art.token}`);
      return under(files, await fetched((cwd) => run("sh", ["-c", command], { cwd })));
    },
  });
});

itKeepsContent("Artifactory, an npm repository (stand-in before verdaccio)", async () => {
  const verdaccio = await startVerdaccio();
  const art = await startArtifactory({ [REPOSITORY]: "npm" }, { npm: verdaccio.url, npmToken: verdaccio.token });
  const name = "@acme/hello";
  const registry = `http://${art.host}/artifactory/api/npm/${REPOSITORY}/`;
  return placeOf(
    art,
    "npm",
    {
      kind: "npm",
      shelf: (at) => new NpmShelf(at(`api/npm/${REPOSITORY}`)),
      name: (version) => ({ repository: name, tag: version }),
      identity: (version) => ({ name, version }),
      files: async (version, salt) => ({ "package.tgz": await npmPackage(name, version, salt) }),
      sends: ({ method, url }) => method === "PUT" && url.includes("/api/npm/"),
      readBack: async (location, files) => {
        const npm = async (cwd: string) => {
          await writeFile(
            join(cwd, ".npmrc"),
            `registry=${registry}\n${registry.slice("http:".length)}:_authToken=${art.token}\n`,
          );
          const env = { PATH: process.env.PATH, HOME: cwd, npm_config_update_notifier: "false" };
          await run("npm", ["pack", `${location.repository}@${location.tag}`], { cwd, env });
        };
        return under(files, await fetched(npm));
      },
    },
    verdaccio.stop,
  );
});

itKeepsContent("Artifactory, a PyPI repository (stand-in before the stand-in of PyPI)", async () => {
  const pypi = await startPypi();
  const art = await startArtifactory(
    { [REPOSITORY]: "pypi" },
    { pypi: new URL(pypi.url).origin, pypiLogin: `Basic ${Buffer.from(`__token__:${TOKEN}`).toString("base64")}` },
  );
  const endpoint = `http://${art.username}:${art.token}@${art.host}/artifactory/api/pypi/${REPOSITORY}`;
  return placeOf(
    art,
    "pypi",
    {
      kind: "wheel",
      shelf: (at) =>
        new PypiShelf({ ...at(`api/pypi/${REPOSITORY}`), index: at(`api/pypi/${REPOSITORY}/simple/`).url }),
      name: (version) => ({ repository: "acme-hello", tag: version }),
      identity: (version) => ({ name: "acme-hello", version }),
      files: async (version, salt) => ({
        [`acme_hello-${version}-py3-none-any.whl`]: await wheel("acme-hello", version, salt),
      }),
      sends: ({ method }) => method === "POST",
      readBack: async ({ repository, tag }, files) => {
        const pip = ["-m", "pip", "download", "--isolated", "--no-cache-dir", "--no-deps", "-q"];
        const from = ["--trusted-host", "127.0.0.1", "--index-url", `${endpoint}/simple/`, `${repository}==${tag}`];
        const env = { PATH: process.env.PATH, PIP_CONFIG_FILE: "/dev/null" };
        return under(files, await fetched((cwd) => run("/usr/bin/python3", [...pip, ...from], { cwd, env })));
      },
    },
    pypi.stop,
  );
});

itKeepsContent("Artifactory, a Maven repository (stand-in)", async () => {
  const art = await startArtifactory({ [REPOSITORY]: "maven" });
  return placeOf(art, "maven", {
    kind: "jar" satisfies ArtifactKind,
    shelf: (at) => new MavenShelf(at(REPOSITORY)),
    name: (version) => ({ repository: "org.example:library", tag: version }),
    identity: (version) => ({ name: "org.example:library", version }),
    files: async (version, salt) => ({ [`library-${version}.jar`]: await jar({ "a.txt": salt }) }),
    sends: ({ method, url }) =>
      method === "PUT" && /library-[^/]*[^d]\.jar$/.test(url) && !url.includes("maven-metadata"),
    readBack: (location: Location, files) => mavenGet(art, location, files),
  });
});

/** With the plugins that Debian has; a checksum that is wrong or missing ends it. */
async function mavenGet(art: ArtifactoryStandIn, { repository, tag }: Location, files: string[]): Promise<FilesByName> {
  const debian = "<id>central</id><url>file:///usr/share/maven-repo</url>";
  const settings = (home: string) => `<settings><localRepository>${home}/m2</localRepository>
    <servers><server><id>r</id><username>${art.username}</username><password>${art.password}</password></server></servers>
    <profiles><profile><id>all</id>
      <repositories><repository>${debian}</repository><repository><id>r</id><url>${art.url}/${REPOSITORY}</url>
        <releases><checksumPolicy>fail</checksumPolicy></releases></repository></repositories>
      <pluginRepositories><pluginRepository>${debian}</pluginRepository></pluginRepositories>
    </profile></profiles><activeProfiles><activeProfile>all</activeProfile></activeProfiles></settings>`;
  const get = "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:get";
  const mvn = async (cwd: string) => {
    await writeFile(join(cwd, "s.xml"), settings(cwd));
    await run("mvn", ["-B", "-q", "-s", "s.xml", get, `-Dartifact=${repository}:${tag}`, "-Dtransitive=false"], {
      cwd,
    });
    const [group = "", artifact = ""] = repository.split(":");
    const jarFile = join(cwd, "m2", ...group.split("."), artifact, tag, `${artifact}-${tag}.jar`);
    await writeFile(join(cwd, "got.jar"), await readFile(jarFile));
  };
  return under(files, await fetched(mvn));
}
