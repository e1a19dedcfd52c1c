import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort, startInTempDir, type TempDir } from "../../processes/process.ts";
import { type FileServer, filesBelow, LOGIN, startIn } from "./server.ts";

/** An npm registry that knows no other one. Its token is given to whoever signs up. */
export function startVerdaccio(): Promise<FileServer & { token: string }> {
  return startInTempDir(serve);
}

async function serve(dir: TempDir): Promise<FileServer & { token: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const storage = join(dir.path, "storage");
  const config = join(dir.path, "config.yaml");
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      storage,
      auth: { htpasswd: { file: join(dir.path, "htpasswd") } },
      // Its tokens hold the password otherwise, which would be tried, slowly, at each request.
      security: { api: { legacy: false, jwt: { sign: { expiresIn: "1d" } } } },
      uplinks: {},
      packages: { "**": { access: "$all", publish: "$authenticated" } },
      max_body_size: "200mb",
      log: { type: "stdout", level: "error" },
    }),
  );
  const root = dirname(createRequire(import.meta.url).resolve("verdaccio/package.json"));
  const args = [join(root, "bin", "verdaccio"), "-c", config, "-l", url];
  const server = await startIn(dir, process.execPath, args, async () => {
    const answer = await fetch(`${url}/-/ping`);
    if (!answer.ok) throw new Error(`ping: ${answer.status}`);
  });
  const signUp = await fetch(`${url}/-/user/org.couchdb.user:${LOGIN.username}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: LOGIN.username, password: LOGIN.password }),
  });
  const { token } = (await signUp.json()) as { token: string };
  return {
    url,
    token,
    directory: storage,
    holds: () => filesBelow(storage),
    stop: server.stop,
  };
}
