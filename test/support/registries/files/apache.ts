import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, tempDir } from "../../processes/process.ts";
import { type FileServer, filesBelow, startIn, writePasswords } from "./server.ts";

const MODULES = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs"];

/** Debian's Apache with WebDAV: it honours `If-None-Match: *`, and wants a folder made before a file is put into it. */
export async function startApache(): Promise<FileServer> {
  const dir = await tempDir();
  const [data, locks] = [join(dir.path, "data"), join(dir.path, "locks")];
  // As root it works as a user of its own, who has to get there.
  await chmod(dir.path, 0o755);
  for (const folder of [data, locks]) {
    await mkdir(folder);
    await chmod(folder, 0o777);
  }
  const port = await freePort();
  const config = join(dir.path, "apache.conf");
  await writeFile(
    config,
    `ServerName 127.0.0.1
     Listen 127.0.0.1:${port}
     PidFile ${dir.path}/pid
     ErrorLog ${dir.path}/error.log
     Mutex fcntl:${dir.path}
     ${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
     ${process.getuid?.() === 0 ? "User www-data\nGroup www-data" : ""}
     DocumentRoot ${data}
     DavLockDB ${locks}/db
     <Directory ${data}>
       Dav On
       AuthType Basic
       AuthName files
       AuthUserFile ${await writePasswords(dir.path)}
       Require valid-user
     </Directory>`,
  );
  const url = `http://127.0.0.1:${port}`;
  const server = await startIn(dir, "/usr/sbin/apache2", ["-X", "-f", config], () => fetch(url));
  return {
    url,
    directory: data,
    holds: () => filesBelow(data),
    stop: server.stop,
  };
}
