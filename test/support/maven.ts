import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "./process.ts";

const run = promisify(execFile);

/** Fetches one artifact by Maven itself, whose checksums have to be right. @param artifact `group:artifact:version` */
export async function mavenGet(
  artifact: string,
  repository: string,
  login: { username: string; password: string },
): Promise<Buffer> {
  const dir = await tempDir();
  try {
    const local = join(dir.path, "repository");
    const debian = (kind: string) => `<${kind}><id>central</id><url>file:///usr/share/maven-repo</url></${kind}>`;
    const settings = join(dir.path, "settings.xml");
    await writeFile(
      settings,
      `<settings>
        <localRepository>${local}</localRepository>
        <servers><server><id>r</id><username>${login.username}</username><password>${login.password}</password></server></servers>
        <profiles><profile><id>debian</id>
          <repositories>${debian("repository")}</repositories>
          <pluginRepositories>${debian("pluginRepository")}</pluginRepositories>
        </profile></profiles>
        <activeProfiles><activeProfile>debian</activeProfile></activeProfiles>
      </settings>`,
    );
    const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:get";
    const options = [`-Dartifact=${artifact}`, `-DremoteRepositories=r::default::${repository}`, "-Dtransitive=false"];
    // What it says it says in its output alone. Debian's own repository has no checksums, so they cannot be demanded (-C).
    const told = await run("/usr/bin/mvn", ["-B", "-s", settings, plugin, ...options], {
      env: { PATH: process.env.PATH, HOME: dir.path },
    }).catch((error: { stdout: string }) => assert.fail(error.stdout));
    assert.match(told.stdout, /BUILD SUCCESS/);
    assert.doesNotMatch(told.stdout, /hecksum.* from r /);
    const [group = "", name = "", version = ""] = artifact.split(":");
    return await readFile(join(local, ...group.split("."), name, version, `${name}-${version}.jar`));
  } finally {
    await dir.remove();
  }
}
