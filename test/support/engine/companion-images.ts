import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "../processes/process.ts";

const images = {
  redis: (base: string) => `FROM ${base}
HEALTHCHECK NONE
ENTRYPOINT []
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
`,
  registry: (base: string) => `FROM ${base}
HEALTHCHECK NONE
ENTRYPOINT []
COPY docker-registry config.json /
VOLUME /var/lib/registry
EXPOSE 5000
CMD ["/docker-registry", "serve", "/config.json"]
`,
};

const registryConfig = {
  version: 0.1,
  log: { level: "warn" },
  storage: { filesystem: { rootdirectory: "/var/lib/registry" } },
  http: { addr: ":5000" },
};

/**
 * What Docker Hub's `redis` and `registry` do, from Debian's packages, for where there is no Docker Hub: tagged
 * `stand-in/redis` and `stand-in/registry`. `base` must be of Debian 12 and hold redis-server.
 */
export async function buildCompanionImages(socket: string, base: string): Promise<void> {
  const dir = await tempDir();
  try {
    for (const [name, dockerfile] of Object.entries(images)) {
      const context = join(dir.path, name);
      await mkdir(context);
      await copyFile("/usr/bin/docker-registry", join(context, "docker-registry"));
      await writeFile(join(context, "config.json"), JSON.stringify(registryConfig));
      await writeFile(join(context, "Dockerfile"), dockerfile(base));
      await promisify(execFile)("/usr/bin/docker", [
        `--host=unix://${socket}`,
        ...["build", `--tag=stand-in/${name}`, context],
      ]);
    }
  } finally {
    await dir.remove();
  }
}
