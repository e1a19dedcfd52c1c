import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { basic } from "../../../src/registries/protocols/http/login.ts";
import { HttpShelf } from "../../../src/registries/protocols/http/shelf.ts";
import { startApache } from "../../support/file-servers/apache.ts";
import { startNginx } from "../../support/file-servers/nginx.ts";
import { type FileServer, LOGIN, TOKEN } from "../../support/file-servers/server.ts";
import { itKeepsFiles, type Place } from "./contract.ts";

const run = promisify(execFile);

/** @param login as curl and as we are told it */
function placeOf(
  server: FileServer,
  login: { curl: string[]; authorization: string; config(secret?: string): object },
) {
  const path = "/artifacts";
  const place: Place = {
    kind: "file",
    origin: server.url,
    config: (origin, secret) => ({ type: "http", url: `${origin}${path}`, ...login.config(secret) }),
    shelf: (origin, authorize) => new HttpShelf({ label: "files", url: new URL(`${origin}${path}`), authorize }),
    authorization: login.authorization,
    secrets: [LOGIN.password, TOKEN, basic(LOGIN.username, LOGIN.password).slice("Basic ".length)],
    name: (version) => ({ repository: "acme/tools/cli", tag: version }),
    files: async (version, salt) => ({
      "cli-linux": Buffer.from(`${version} ${salt}`.repeat(10_000)),
      "cli mac+arm": Buffer.from(`mac ${version} ${salt}`),
    }),
    sends: ({ method, url }, file) => method === "PUT" && decodeURIComponent(url).endsWith(`/${file}`),
    async readBack({ url }, files) {
      const read = files.map(async (file): Promise<[string, Buffer]> => {
        const from = `${url}${encodeURIComponent(file)}`;
        const { stdout } = await run("curl", ["-sSf", ...login.curl, from], { encoding: "buffer" });
        return [file, stdout];
      });
      return Object.fromEntries(await Promise.all(read));
    },
    holds: server.holds,
    stop: server.stop,
  };
  return place;
}

const withPassword = {
  curl: ["-u", `${LOGIN.username}:${LOGIN.password}`],
  authorization: basic(LOGIN.username, LOGIN.password),
  config: (secret = LOGIN.password) => ({ username: LOGIN.username, password: secret }),
};
const withToken = {
  curl: ["-H", `Authorization: Bearer ${TOKEN}`],
  authorization: `Bearer ${TOKEN}`,
  config: (secret = TOKEN) => ({ token: secret }),
};

itKeepsFiles("an HTTP store (nginx, Bearer)", async () => placeOf(await startNginx("bearer"), withToken));
itKeepsFiles("an HTTP store (Apache, Basic)", async () => placeOf(await startApache(), withPassword));
