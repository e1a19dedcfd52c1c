import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "../../support/processes/process.ts";
import type { TestRegistry } from "../../support/registries/docker-registry.ts";

const run = promisify(execFile);

/** A client that shares no line with ours, for a second opinion. */
export const skopeo = {
  /** Of the raw manifest under a name. */
  async digest(server: TestRegistry, name: string): Promise<string> {
    return withDirectory(server, async (directory, trust) => {
      const args = ["inspect", "--raw", ...(await trust("")), `docker://${server.host}/${name}`];
      const { stdout } = await run("skopeo", args, { encoding: "buffer" });
      const file = join(directory, "manifest.json");
      await writeFile(file, stdout);
      return (await run("skopeo", ["manifest-digest", file])).stdout.trim();
    });
  },

  /** Copies an image, verifying it, and names its blobs in hex. */
  async copy(server: TestRegistry, name: string): Promise<string[]> {
    return Object.keys(await skopeo.blobs(server, name));
  },

  /** Copies an image, verifying it. @returns its blobs by their digest in hex */
  async blobs(server: TestRegistry, name: string): Promise<Record<string, Buffer>> {
    return withDirectory(server, async (directory, trust) => {
      const to = join(directory, "copy");
      const policy = "--insecure-policy";
      await run("skopeo", [policy, "copy", ...(await trust("src-")), `docker://${server.host}/${name}`, `dir:${to}`]);
      const files = (await readdir(to)).filter((file) => /^[0-9a-f]{64}$/.test(file));
      return Object.fromEntries(
        await Promise.all(files.map(async (file) => [file, await readFile(join(to, file))] as const)),
      );
    });
  },

  /** The registry's catalogue. */
  async repositories(server: TestRegistry): Promise<string[]> {
    return withDirectory(server, async (directory) => {
      const ca = join(directory, "ca.pem");
      if (server.ca) await writeFile(ca, server.ca);
      const scope = "service=registry&scope=registry:catalog:*";
      const token = server.tokens && (await tokenOf(server, scope));
      const login = token ? ["-H", `Authorization: Bearer ${token}`] : ["-u", `${server.username}:${server.password}`];
      const args = ["-sS", ...(server.ca ? ["--cacert", ca] : []), ...login, `${server.url}/v2/_catalog?n=1000`];
      return JSON.parse((await run("curl", args)).stdout).repositories;
    });
  },
};

async function tokenOf(server: TestRegistry, query: string): Promise<string> {
  const { tokens, username, password } = server;
  if (tokens) tokens.rules.actions.push("*");
  const login = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const answer = await fetch(`${tokens?.realm}?${query}`, { headers: { Authorization: login } });
  tokens?.rules.actions.pop();
  return ((await answer.json()) as { token: string }).token;
}

async function withDirectory<T>(
  server: TestRegistry,
  work: (directory: string, trust: (side: string) => Promise<string[]>) => Promise<T>,
): Promise<T> {
  const dir = await tempDir();
  try {
    return await work(dir.path, async (side) => {
      const login = server.username ? [`--${side}creds`, `${server.username}:${server.password}`] : [];
      if (!server.ca) return [...login, `--${side}tls-verify=false`];
      await writeFile(join(dir.path, "ca.crt"), server.ca);
      return [...login, `--${side}cert-dir`, dir.path];
    });
  } finally {
    await dir.remove();
  }
}
