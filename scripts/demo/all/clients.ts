import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { mavenGet } from "../../../test/support/registries/maven-client.ts";
import type { Client } from "./place.ts";

const run = promisify(execFile);

interface Login {
  username: string;
  password: string;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** By its tag, with all its blobs. @param under host, and what stands before the repository there */
export function skopeo(under: string, login: Login | null): Client {
  return {
    tool: "skopeo copy",
    async fetch({ location, directory }) {
      const creds = login === null ? ["--src-no-creds"] : ["--src-creds", `${login.username}:${login.password}`];
      const from = `docker://${under}/${location.name}`;
      const args = ["--insecure-policy", "copy", ...creds, "--src-tls-verify=false", from, `dir:${directory}`];
      await run("skopeo", args);
      return { manifest: digestOf(await readFile(join(directory, "manifest.json"))) };
    },
  };
}

export function npm(registry: string, token: string): Client {
  return {
    tool: "npm pack",
    async fetch({ release, location, directory }) {
      const url = `${registry.replace(/\/$/, "")}/`;
      const own = `registry=${url}\n${url.replace(/^https?:/, "")}:_authToken=${token}\n`;
      await writeFile(join(directory, ".npmrc"), own);
      const env = { PATH: process.env.PATH, HOME: directory, npm_config_update_notifier: "false" };
      await run("npm", ["pack", byVersion(location.name, "@")], { cwd: directory, env });
      const [file = ""] = (await readdir(directory)).filter((name) => name.endsWith(".tgz"));
      // npm calls the file as it likes.
      return { [release.files[0]?.name ?? ""]: digestOf(await readFile(join(directory, file))) };
    },
  };
}

/** The wheel alone: of an sdist pip wants to build something. */
export function pip(index: string): Client {
  return {
    tool: "pip download",
    async fetch({ location, directory }) {
      const args = ["-m", "pip", "download", "--isolated", "--quiet", "--no-deps", "--no-cache-dir"];
      const env = { PATH: process.env.PATH, HOME: directory, PIP_CONFIG_FILE: "/dev/null" };
      await run("/usr/bin/python3", [...args, "--index-url", index, byVersion(location.name, "==")], {
        cwd: directory,
        env,
      });
      return digestsIn(directory, (name) => name.endsWith(".whl"));
    },
  };
}

export function maven(repository: string, login: Login): Client {
  return {
    tool: "mvn get",
    async fetch({ release, location }) {
      const jar = release.files.find(({ name }) => name.endsWith(".jar"));
      return { [jar?.name ?? ""]: digestOf(await mavenGet(location.name, repository, login)) };
    },
  };
}

export function curl(login: Login): Client {
  return {
    tool: "curl",
    async fetch({ release, location, directory }) {
      for (const { name } of release.files) {
        const url = location.url.endsWith("/") ? `${location.url}${encodeURIComponent(name)}` : location.url;
        await run("curl", ["-fsS", "-u", `${login.username}:${login.password}`, "-o", name, url], { cwd: directory });
      }
      return digestsIn(directory);
    },
  };
}

/** `name:version`, as the client writes it. */
function byVersion(name: string, separator: string): string {
  return name.replace(/:([^:]*)$/, `${separator}$1`);
}

export async function digestsIn(
  directory: string,
  wanted: (name: string) => boolean = () => true,
): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter(wanted);
  const found = names.map(async (name) => [name, digestOf(await readFile(join(directory, name)))] as const);
  return Object.fromEntries(await Promise.all(found));
}
