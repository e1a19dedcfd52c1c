import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "../processes/process.ts";

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
    const debian = "<id>central</id><url>file:///usr/share/maven-repo</url>";
    const settings = join(dir.path, "settings.xml");
    await writeFile(
      settings,
      `<settings><localRepository>${local}</localRepository>
        <servers><server><id>r</id><username>${login.username}</username><password>${login.password}</password></server></servers>
        <profiles><profile><id>debian</id>
          <repositories><repository>${debian}</repository><repository><id>r</id><url>${repository}</url>
            <releases><checksumPolicy>fail</checksumPolicy></releases></repository></repositories>
          <pluginRepositories><pluginRepository>${debian}</pluginRepository></pluginRepositories>
        </profile></profiles><activeProfiles><activeProfile>debian</activeProfile></activeProfiles></settings>`,
    );
    const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:get";
    const options = ["-B", "-q", "-s", settings, "-Dtransitive=false", `-Dartifact=${artifact}`];
    // What it says of a failure stands in its output alone.
    await run("/usr/bin/mvn", [...options, plugin], { env: { PATH: process.env.PATH, HOME: dir.path } }).catch(
      (error: { stdout: string }) => assert.fail(error.stdout),
    );
    const [group = "", name = "", version = ""] = artifact.split(":");
    return await readFile(join(local, ...group.split("."), name, version, `${name}-${version}.jar`));
  } finally {
    await dir.remove();
  }
}
