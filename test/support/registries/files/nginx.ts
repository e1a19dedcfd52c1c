import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, startInTempDir, type TempDir } from "../../processes/process.ts";
import { type FileServer, filesBelow, startIn, TOKEN, writePasswords } from "./server.ts";

/** Debian's nginx with WebDAV: it makes folders by itself, and overwrites whatever is asked of it. */
export function startNginx(login: "basic" | "bearer"): Promise<FileServer> {
  return startInTempDir((dir) => serve(dir, login));
}

async function serve(dir: TempDir, login: "basic" | "bearer"): Promise<FileServer> {
  const data = join(dir.path, "data");
  await mkdir(data);
  const port = await freePort();
  const door =
    login === "basic"
      ? `auth_basic files; auth_basic_user_file ${await writePasswords(dir.path)};`
      : `if ($http_authorization != "Bearer ${TOKEN}") { return 401; }`;
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const config = join(dir.path, "nginx.conf");
  await writeFile(
    config,
    `daemon off; master_process off; pid ${dir.path}/pid; error_log stderr;
     events {}
     http {
       access_log off;
       ${temps.map((name) => `${name}_temp_path ${dir.path}/${name};`).join("\n")}
       server {
         listen 127.0.0.1:${port}; root ${data}; client_max_body_size 0;
         location / { ${door} dav_methods PUT MKCOL; create_full_put_path on; }
       }
     }`,
  );
  const url = `http://127.0.0.1:${port}`;
  const server = await startIn(dir, "/usr/sbin/nginx", ["-c", config, "-p", dir.path, "-e", "stderr"], () =>
    fetch(url),
  );
  return {
    url,
    directory: data,
    holds: () => filesBelow(data),
    stop: server.stop,
  };
}
