import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "./process.ts";

const run = promisify(execFile);

/** Fetches one artifact by Maven itself, which demands right checksums. @param artifact `group:artifact:version` */
export async function mavenGet(
  artifact: string,
  repository: string,
  login: { username: string; password: string },
): Promise<Buffer> {
  const dir = await tempDir();
  try {
    const local = join(dir.path, "repository");
    const debian = (kind: string) =>
      `<${kind}><id>central</id><url>file:///usr/share/maven-repo</url><releases><checksumPolicy>ignore</checksumPolicy></releases></${kind}>`;
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
    await run("/usr/bin/mvn", ["-B", "-q", "-C", "-s", settings, plugin, ...options], {
      env: { ...process.env, HOME: dir.path },
    });
    const [group = "", name = "", version = ""] = artifact.split(":");
    return await readFile(join(local, ...group.split("."), name, version, `${name}-${version}.jar`));
  } finally {
    await dir.remove();
  }
}
