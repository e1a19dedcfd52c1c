// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration has references of that form
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { mapLimit } from "../../../src/async/map-limit.ts";
import { commandLines } from "../../support/processes/command-lines.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";

/** What stands in the way: a folder with files, and a port that something else listens on. */
interface Obstacles {
  dir: string;
  port: number;
}

interface WrongStart {
  title: string;
  command?: string;
  /** Lines of the server's file besides the smallest one; a key that is given here replaces the one there. */
  file?: (obstacles: Obstacles) => string[];
  /** Replaces the whole file; null: there is none. */
  text?: string | null;
  env?: (obstacles: Obstacles) => Record<string, string>;
  /** What happened, where, and what to do. */
  says: RegExp[];
}

const HOSTS = "hosts: { github: { type: github, webhookSecret: s3cret-canary } }";
const FIND_ANOTHER = /Set dataDir \(or DELIVERD_DATA_DIR\) to a folder on a disk of this machine/;

const starts: WrongStart[] = [
  {
    title: "a port that another program has",
    file: ({ port }) => [`port: ${port}`],
    says: [/^port: another program listens on port \d+/, /Stop it \(ss -ltnp .*\), or set port \(or PORT\)/],
  },
  {
    title: "an intake whose port another program has",
    file: ({ port }) => [`docker: { intake: { listen: "127.0.0.1:${port}", advertise: "127.0.0.1:${port}" } }`],
    says: [
      /^docker\.intake\.listen: cannot listen on "127\.0\.0\.1:\d+": another program listens there/,
      /Name a free host:port/,
    ],
  },
  {
    title: "an intake at an address of another machine",
    file: () => ['docker: { intake: { listen: "203.0.113.7:0", advertise: "203.0.113.7:0" } }'],
    says: [
      /^docker\.intake\.listen: cannot listen on "203\.0\.113\.7:0": this machine has no such address/,
      /Name a free host:port/,
    ],
  },
  {
    title: "a type of host that does not exist",
    file: () => ["hosts: { lab: { type: sourcehut, webhookSecret: s3cret-canary } }"],
    says: [/^deliverd\.yml:\d: hosts\.lab\.type: found "sourcehut"; expected one of github, gitlab(?:, \w+)*$/m],
  },
  {
    title: "a mistyped type of host",
    file: () => ["hosts: { lab: { type: githbu, webhookSecret: s3cret-canary } }"],
    says: [
      /^deliverd\.yml:\d: hosts\.lab\.type: found "githbu"; expected one of github, gitlab(?:, \w+)* \(did you mean "github"\?\)/,
    ],
  },
  {
    title: "a dataDir under /proc",
    file: () => ["dataDir: /proc/1/deliverd"],
    says: [/^dataDir: \/proc\/1\/deliverd cannot be made/, FIND_ANOTHER],
  },
  {
    title: "a dataDir under /sys",
    file: () => ["dataDir: /sys/deliverd"],
    says: [/^dataDir: \/sys\/deliverd (?:may not be|is on a file system)/, /Set dataDir|Mount a volume/],
  },
  {
    title: "a dataDir that is a device",
    file: () => ["dataDir: /dev/null"],
    says: [/^dataDir: \/dev\/null is a file/, FIND_ANOTHER],
  },
  {
    title: "a dataDir that is a file",
    file: ({ dir }) => [`dataDir: ${dir}/file`],
    says: [/^dataDir: DIR\/file is a file/, FIND_ANOTHER],
  },
  {
    title: "a dataDir below a file",
    file: ({ dir }) => [`dataDir: ${dir}/file/data`],
    says: [/^dataDir: DIR\/file\/data is .*below a file/, FIND_ANOTHER],
  },
  {
    title: "a dataDir that is a link to nowhere",
    file: ({ dir }) => [`dataDir: ${dir}/link`],
    says: [/^dataDir: DIR\/link cannot be made: a link that leads nowhere/, /Remove the link/],
  },
  {
    title: "a dataDir with a name that is too long",
    file: ({ dir }) => [`dataDir: ${dir}/${"a".repeat(300)}`],
    says: [/^dataDir: DIR\/a+… has a name that is too long/, FIND_ANOTHER],
  },
  {
    title: "a configuration file that does not exist",
    text: null,
    says: [/^deliverd\.yml: the configuration file cannot be read \(ENOENT\)/, /--config or DELIVERD_CONFIG/],
  },
  {
    title: "an empty configuration file",
    text: "",
    says: [/^deliverd\.yml: empty; expected a map of publicUrl, port/],
  },
  {
    title: "a configuration file with tabs",
    text: "hosts:\n\tgithub: x\n",
    says: [/^deliverd\.yml:2: indent with spaces/],
  },
  {
    title: "variables that are not set, and a mistyped key",
    file: () => ['adminToken: "${ADMIN}"', 'databaseUrl: "${PG}"', "prot: 1"],
    says: [
      /^deliverd\.yml:\d: adminToken: the environment variable ADMIN is not set; set it where deliverd starts/m,
      /^deliverd\.yml:\d: databaseUrl: the environment variable PG is not set/m,
      /^deliverd\.yml:\d: prot: "prot" is not a key here \(did you mean "port"\?\)/m,
    ],
  },
  {
    title: "a file with a secret that does not exist",
    file: () => ['adminToken: "${file:/nowhere/token}"'],
    says: [/^deliverd\.yml:\d: adminToken: the file \/nowhere\/token cannot be read \(ENOENT\); expected a file/],
  },
  {
    title: "a token with a line end",
    file: () => ['hosts: { github: { type: github, webhookSecret: x, token: "ghp_canary\\nghp_canary" } }'],
    says: [/^deliverd\.yml:\d: hosts\.github\.token: .*expected a token without spaces, line ends/],
  },
  {
    title: "a path in the URL of an OCI registry",
    file: () => ["registries: { hub: { type: oci, url: https://registry.example.com/team } }"],
    says: [/^deliverd\.yml:\d: registries\.hub\.url: found .*expected https:\/\/host .*without a path; .*`as`/],
  },
  {
    title: "a certificate that is none",
    file: () => ["registries: { hub: { type: oci, url: https://registry.example.com, ca: /etc/ca.pem } }"],
    says: [/^deliverd\.yml:\d: registries\.hub\.ca: .*expected a certificate in PEM form.*\$\{file:/],
  },
  {
    title: "one receiver of notices twice",
    file: () => [
      "notices: [{ type: webhook, url: https://a.example/?k=canary }, { type: webhook, url: https://a.example/?k=canary }]",
    ],
    says: [/^deliverd\.yml:\d: notices\[1\]\.url: .*expected each URL once; notices\[0\]/],
  },
  {
    title: "an unknown registry in an entry of repos, beside other mistakes",
    file: () => ["port: x", "repos: [{ match: acme/api, registries: [hbu] }]"],
    says: [
      /^deliverd\.yml:\d: port: found "x"; expected a whole number/m,
      /^deliverd\.yml:\d: repos\[0\]\.registries\[0\]: found "hbu"; expected a key of registries/m,
    ],
  },
  {
    title: "no redis-server",
    env: () => ({ PATH: "/nowhere" }),
    says: [/^redis-server could not be started .*ENOENT/, /Install redis-server, or set redisUrl/],
  },
  {
    title: "no git",
    env: ({ dir }) => ({ PATH: `${dir}/bin` }),
    says: [/^The program git was not found: install git 2\.39 or newer/],
  },
  {
    title: "a receiver without a Redis for its workers",
    command: "receiver",
    says: [/^redisUrl: a receiver and a worker in separate processes need a common Redis/, /Set redisUrl/],
  },
  {
    title: "an engine behind ssh",
    env: () => ({ DOCKER_HOST: "ssh://root@box" }),
    says: [/^DOCKER_HOST is "ssh:\/\/root@box": expected unix:/, /set docker\.socket/],
  },
  {
    title: "an environment without settings",
    command: "start --from-environment",
    text: null,
    says: [
      /^environment: GITHUB_WEBHOOK_SECRET: left out/m,
      /^environment: DELIVERD_REPOS: left out/m,
      /^Set these variables, or name a configuration file with --config or DELIVERD_CONFIG\.$/m,
    ],
  },
  {
    title: "a port in the environment that is no number",
    command: "start --from-environment",
    text: null,
    env: () => ({ PORT: "http", DELIVERD_REPOS: "acme/*", GITHUB_WEBHOOK_SECRET: "s3cret-canary" }),
    says: [/^environment: PORT: found "http"; expected a whole number from 0 to 65535/],
  },
];

/** As many at once as keep the test quick, and the machine usable. */
const AT_ONCE = 4;

describe("A start with", function () {
  this.timeout(120_000);

  let dir: TempDir;
  let holder: Server;
  let ends: Map<WrongStart, End>;

  before(async () => {
    dir = await tempDir();
    await writeFile(join(dir.path, "file"), "");
    await symlink("/nowhere/at/all", join(dir.path, "link"));
    // A PATH with redis-server and nothing else.
    await mkdir(join(dir.path, "bin"));
    const { stdout } = await promisify(execFile)("which", ["redis-server"]);
    await symlink(stdout.trim(), join(dir.path, "bin", "redis-server"));
    holder = createServer().listen(0, "::");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const ended = await mapLimit(starts, AT_ONCE, async (each) => {
      return [each, await start(each, { dir: dir.path, port })] as const;
    });
    ends = new Map(ended);
  });

  after(async () => {
    holder.close();
    await dir.remove();
  });

  for (const each of starts) {
    it(`${each.title} ends with exit code 2, and says what, where, and what to do`, () => {
      const { code, said } = ends.get(each) ?? assert.fail("it was not started");
      assert.equal(code, 2, said);
      for (const part of each.says) assert.match(said, part);
      assert.doesNotMatch(said, /\n\s+at |SSL routines|canary/);
    });
  }

  it("any of these leaves no process behind", async () => {
    const left = [...(await commandLines()).values()].filter((line) => line.includes(`${dir.path}/`));
    assert.deepEqual(left, []);
  });
});

interface End {
  code: number | NodeJS.Signals;
  /** What it wrote for a person, without the folder of the test. */
  said: string;
}

async function start(each: WrongStart, obstacles: Obstacles): Promise<End> {
  const { dir } = obstacles;
  const own = starts.indexOf(each);
  const config = join(dir, `${own}.yml`);
  const text = each.text === undefined ? fileWith(each.file?.(obstacles) ?? [], join(dir, `data-${own}`)) : each.text;
  if (text !== null) await writeFile(config, text);
  const [command = "start", fromEnvironment] = (each.command ?? "start").split(" ");
  const place = fromEnvironment === undefined ? ["--config", config] : [];
  const child = spawn(process.execPath, [BIN, command, ...place], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...each.env?.(obstacles) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  // One that hangs is ended, so that it fails its own test; by SIGTERM first, so that it takes its redis-server along.
  const timers = [setTimeout(() => child.kill("SIGTERM"), 30_000), setTimeout(() => child.kill("SIGKILL"), 45_000)];
  const [code, signal] = await once(child, "close");
  for (const timer of timers) clearTimeout(timer);
  return { code: code ?? signal, said: said.replaceAll(config, "deliverd.yml").replaceAll(dir, "DIR") };
}

function fileWith(lines: string[], dataDir: string): string {
  const smallest = [HOSTS, "repos: [acme/api]", "port: 0", `dataDir: ${dataDir}`];
  const isReplaced = (line: string) => lines.some((other) => other.split(":")[0] === line.split(":")[0]);
  return `${[...smallest.filter((line) => !isReplaced(line)), ...lines].join("\n")}\n`;
}
