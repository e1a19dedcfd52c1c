// `npm run engines`: the tests of builders on the engines of Debian 13, and a matrix of what passed where. It needs root:
// the engines run in a chroot, in a mount namespace that ends with this process.
import { spawn, spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Dockerode from "dockerode";
import { debianRoot, mountRoot } from "../test/support/engine/chroot.ts";
import { type Server, startServer } from "../test/support/processes/process.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const INSIDE = "DELIVERD_ENGINES_INSIDE";

const BUILDERS = ["image", "dockerfile-options", "platforms", "failures", "checkout", "files", "files-outputs"];
const files = (names: string[]) => names.map((name) => `test/integration/builders/${name}.test.ts`);

interface Lane {
  name: string;
  /** The program and its arguments inside the root; `at` is the engine's folder there. */
  command(at: string): string[];
  /** Its configuration. Null: it reads none of ours. */
  config: object | null;
  files: string[];
  /** Only the tests with this in their titles. */
  grep?: string;
}

const dockerd = (at: string, driver: string) => [
  ...["/usr/sbin/dockerd", "--data-root", `${at}/d`, "--exec-root", `${at}/e`, "--pidfile", `${at}/p`],
  ...["--config-file", `${at}/daemon.json`, "--host", `unix://${at}/s`, "--storage-driver", driver],
  ...["--iptables=false", "--ip6tables=false", "--bridge=none"],
];

const lanes: Lane[] = [
  {
    name: "Docker, its own store",
    command: (at) => dockerd(at, "overlay2"),
    config: {},
    files: files(BUILDERS),
  },
  {
    name: "Docker, containerd's store",
    command: (at) => dockerd(at, "overlayfs"),
    config: { features: { "containerd-snapshotter": true } },
    files: files(BUILDERS),
  },
  {
    name: "Podman",
    command: (at) => [
      ...["/usr/bin/podman", "--root", `${at}/d`, "--runroot", `${at}/e`, "--storage-driver=vfs"],
      ...["system", "service", "--time=0", `unix://${at}/s`],
    ],
    config: null,
    files: files(["image", "dockerfile-options", "failures"]),
    // It has no BuildKit.
    grep: "classic",
  },
];

async function main(): Promise<void> {
  const debian = await debianRoot("trixie");
  await mountRoot(debian);
  const rows: string[] = [];
  for (const lane of lanes.filter(({ name }) => process.argv.slice(2).every((word) => name.includes(word)))) {
    const at = `/engines-${process.pid}`;
    await mkdir(join(debian, at));
    try {
      rows.push(await runLane(lane, debian, at));
    } finally {
      await rm(join(debian, at), { recursive: true, force: true });
    }
  }
  console.log(["", "| engine | version | passed | failed |", "| --- | --- | --- | --- |", ...rows].join("\n"));
}

/** @returns its row in the matrix */
async function runLane({ name, command, config, files, grep }: Lane, debian: string, at: string): Promise<string> {
  const socketPath = join(debian, at, "s");
  if (config !== null) await writeFile(join(debian, at, "daemon.json"), JSON.stringify(config));
  const docker = new Dockerode({ socketPath });
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };
  const engine = await startServer("chroot", [debian, ...command(at)], () => docker.ping(), { env });
  try {
    const { Version } = await docker.version();
    console.log(`\n== ${name} ${Version}`);
    const { passed, failures } = await runMocha(files, grep, socketPath);
    if (failures.length > 0) process.exitCode = 1;
    return `| ${name} | ${Version} | ${passed} | ${failures.length} |`;
  } finally {
    await stop(engine);
  }
}

async function runMocha(files: string[], grep: string | undefined, socket: string) {
  const counts = join(tmpdir(), `engines-${process.pid}.json`);
  const only = grep === undefined ? [] : ["--grep", grep];
  const options = ["node_modules/mocha/bin/mocha.js", "--reporter=scripts/reporter.cjs", ...only, ...files];
  const env = { ...process.env, DELIVERD_TEST_ENGINE: socket, DELIVERD_TEST_COUNTS: counts };
  const mocha = spawn(process.execPath, options, { cwd: root, env, stdio: "inherit" });
  await new Promise((resolve) => mocha.once("close", resolve));
  const read: { passed: number; failures: string[] } = JSON.parse(await readFile(counts, "utf8"));
  await rm(counts, { force: true });
  return read;
}

/** It ends its containerd with it. */
async function stop(engine: Server): Promise<void> {
  await engine.stop();
}

if (process.env[INSIDE] !== undefined) await main();
else {
  const again = [process.execPath, "--import=tsx", ...process.argv.slice(1)];
  // A namespace of processes as well: whatever an engine leaves ends with it.
  const { status } = spawnSync("unshare", ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", ...again], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  process.exitCode = status ?? 1;
}
