import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "../processes/process.ts";

const images = {
  // The base has declared /data as a volume, so it stays its user's.
  redis: (base: string) => `FROM ${base}
HEALTHCHECK NONE
ENTRYPOINT []
RUN usermod --non-unique --uid 1000 redis
WORKDIR /data
CMD ["redis-server"]
`,
  // Its health is asked with wget, as Docker Hub's image has it.
  registry: (base: string) => `FROM ${base}
HEALTHCHECK NONE
ENTRYPOINT []
COPY docker-registry /bin/registry
COPY busybox /usr/bin/wget
COPY config.json /etc/docker/registry/config.yml
VOLUME /var/lib/registry
EXPOSE 5000
CMD ["registry", "serve", "/etc/docker/registry/config.yml"]
`,
  caddy: (base: string) => `FROM ${base}
HEALTHCHECK NONE
ENTRYPOINT []
RUN apt-get update && apt-get install -y --no-install-recommends caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`,
};

const registryConfig = {
  version: 0.1,
  log: { level: "warn" },
  storage: { filesystem: { rootdirectory: "/var/lib/registry" } },
  http: { addr: ":5000" },
};

/**
 * What Docker Hub's `redis`, `registry` and `caddy` do, from Debian's packages, for where there is no Docker Hub: tagged
 * `stand-in/redis` and so on. `base` is deliverd's own image, and `plain` is a Debian 12 without volumes.
 */
export async function buildCompanionImages(socket: string, base: string, plain: string): Promise<void> {
  const dir = await tempDir();
  try {
    for (const [name, dockerfile] of Object.entries(images)) {
      const context = join(dir.path, name);
      await mkdir(context);
      await copyFile("/usr/bin/docker-registry", join(context, "docker-registry"));
      await copyFile("/bin/busybox", join(context, "busybox"));
      await writeFile(join(context, "config.json"), JSON.stringify(registryConfig));
      await writeFile(join(context, "Dockerfile"), dockerfile(name === "caddy" ? plain : base));
      await promisify(execFile)("/usr/bin/docker", [
        `--host=unix://${socket}`,
        ...["build", "--network=host", `--tag=stand-in/${name}`, context],
      ]);
    }
  } finally {
    await dir.remove();
  }
}
