import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, startInTempDir, startServer, type TempDir } from "../processes/process.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";

const run = promisify(execFile);

/** Debian's docker-registry, with a directory and a process of its own. */
export interface TestRegistry {
  url: string;
  host: string;
  /** Empty without auth. */
  username: string;
  password: string;
  /** PEM of its own authority, with TLS. */
  ca: string | undefined;
  /** With token auth. */
  tokens: TokenServer | undefined;
  /** Where it keeps what it holds. */
  directory: string;
  /** What it has printed. */
  output(): string;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  auth?: "none" | "htpasswd" | "token";
  tls?: boolean;
  /** Allows the deletion of manifests and blobs. */
  delete?: boolean;
}

const username = "ci";
const password = "s3cret-canary-registry";

/** @param options.auth default: none */
export function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  return startInTempDir((dir) => serve(dir, options));
}

async function serve(dir: TempDir, options: RegistryOptions): Promise<TestRegistry> {
  const { auth = "none", tls = false } = options;
  const host = `127.0.0.1:${await freePort()}`;
  const certificate = tls || auth === "token" ? await makeCertificate(dir.path) : null;
  const issued = { service: "registry", issuer: "test issuer" };
  const tokens =
    auth === "token" && certificate
      ? await startTokenServer({ ...issued, username, password, ...certificate })
      : undefined;
  const config = {
    version: 0.1,
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir.path, "data") }, delete: { enabled: options.delete ?? false } },
    http: {
      addr: host,
      ...(tls && { tls: { certificate: join(dir.path, "cert.pem"), key: join(dir.path, "key.pem") } }),
    },
    ...(auth === "htpasswd" && {
      auth: { htpasswd: { realm: "test", path: await makePasswordFile(dir.path) } },
    }),
    ...(tokens && {
      auth: { token: { ...issued, realm: tokens.realm, rootcertbundle: join(dir.path, "cert.pem") } },
    }),
  };
  const file = join(dir.path, "config.yml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const server = await startServer("docker-registry", ["serve", file], () => answers(host)).catch(async (error) => {
    await tokens?.stop();
    throw error;
  });
  return {
    url: `${tls ? "https" : "http"}://${host}`,
    host,
    username: auth === "none" ? "" : username,
    password: auth === "none" ? "" : password,
    ca: tls ? certificate?.certificate : undefined,
    tokens,
    directory: join(dir.path, "data"),
    output: server.output,
    async stop() {
      await server.stop();
      await tokens?.stop();
      await dir.remove();
    },
  };
}

/** Whatever it answers, over TLS or not, it is there. */
async function answers(host: string): Promise<void> {
  await fetch(`http://${host}/v2/`, { signal: AbortSignal.timeout(1000) });
}

/** For itself, valid at 127.0.0.1 and for a name of DNS. Writes key.pem and cert.pem into the directory. */
export async function makeCertificate(
  directory: string,
  name = "localhost",
): Promise<{ key: string; certificate: string }> {
  const key = join(directory, "key.pem");
  const certificate = join(directory, "cert.pem");
  const subject = ["-subj", "/CN=test registry", "-addext", `subjectAltName=IP:127.0.0.1,DNS:${name}`];
  const form = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  await run("openssl", [...form, ...subject, "-keyout", key, "-out", certificate]);
  return { key: await readFile(key, "utf8"), certificate: await readFile(certificate, "utf8") };
}

async function makePasswordFile(directory: string): Promise<string> {
  const path = join(directory, "htpasswd");
  // By its input: tests that run beside this one look for the password in the process list.
  const writing = run("htpasswd", ["-B", "-C", "4", "-i", "-c", path, username]);
  writing.child.stdin?.end(`${password}\n`);
  await writing;
  return path;
}
