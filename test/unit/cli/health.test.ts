import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { daemonProcesses, readCommandLine } from "../../../src/cli/daemon-processes.ts";
import { Failure } from "../../../src/cli/exit.ts";
import { health } from "../../../src/cli/health.ts";
import { plainHealthCall } from "../../../src/cli/health-call.ts";
import { freePort, tempDir } from "../../support/processes/process.ts";

describe("deliverd health", () => {
  const servers: Server[] = [];
  let dir: Awaited<ReturnType<typeof tempDir>>;

  before(async () => {
    dir = await tempDir();
  });

  after(async () => {
    for (const server of servers) server.close();
    await dir.remove();
  });

  /** What a process of deliverd answers, on a port of its own. */
  async function answering(status: number): Promise<number> {
    const server = createServer((request, response) =>
      response.writeHead(request.url === "/healthz" ? status : 404).end(),
    );
    servers.push(server);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return (server.address() as AddressInfo).port;
  }

  async function file(lines: string[]): Promise<string> {
    const path = join(dir.path, `${lines.length}-${servers.length}.yml`);
    await writeFile(path, lines.join("\n"));
    return path;
  }

  const start = { command: "start", config: null } as const;
  const worker = { command: "worker", config: null } as const;
  const failure = (message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof Failure && error.exitCode === 1, String(error));
    assert.match(error.message, message);
    return true;
  };

  it("asks a receiver under PORT, also where a file says another port", async () => {
    const config = await file(["port: 1", "workerPort: 2"]);
    const port = await answering(200);
    assert.deepEqual(await health(config, { PORT: `${port}` }, [start]), [`deliverd start answers on port ${port}`]);
  });

  it("asks a receiver under the port of its file, and under that of a variable in it", async () => {
    const port = await answering(200);
    await health(await file([`port: ${port}`]), {}, [start]);
    await health(await file(["", `port: "\${P}"`]), { P: `${port}` }, [start]);
  });

  it("asks nobody where the port is none: Node would ask port 80", async () => {
    for (const port of ["abc", "99999", "0", "1.5"])
      await assert.rejects(health(undefined, { PORT: port }, [start]), failure(/its port has to be a whole number/));
  });

  it("asks a worker under workerPort, whatever PORT says: it does not listen there", async () => {
    const config = await file([`workerPort: ${await answering(200)}`]);
    await health(config, { PORT: `${await freePort()}` }, [worker]);
  });

  it("fails if one of several processes does not answer, and names it", async () => {
    const [port, silent] = [await answering(200), await freePort()];
    const both = [{ command: "receiver", config: null } as const, worker];
    const config = await file([`port: ${port}`, `workerPort: ${silent}`]);
    await assert.rejects(
      health(config, {}, both),
      failure(new RegExp(`^deliverd worker does not answer on port ${silent}: `)),
    );
  });

  it("fails on any answer but 200", async () => {
    const config = await file([`port: ${await answering(503)}`]);
    await assert.rejects(health(config, {}, [start]), failure(/its answer is 503\n.*its log/));
  });

  it("takes the file of the process's own --config, and leaves out processes with another file than the given one", async () => {
    const mine = await file([`port: ${await answering(200)}`]);
    const other = await file(["port: 1", ""]);
    await health(undefined, {}, [{ command: "start", config: mine }]);
    const processes = [{ command: "start", config: mine } as const, { command: "start", config: other } as const];
    await health(mine, {}, processes);
    await assert.rejects(health(undefined, {}, processes), failure(/on port 1: /));
  });

  it("asks both ports where no process can be seen, and is content with one answer", async () => {
    const silent = await freePort();
    await health(await file([`port: ${silent}`, `workerPort: ${await answering(200)}`]), {}, []);
    const neither = await file([`port: ${silent}`, `workerPort: ${silent}`]);
    await assert.rejects(
      health(neither, {}, []),
      failure(
        /^deliverd does not answer .*\ndeliverd does not answer .*\nNo process of deliverd is seen here: start it .*check port in/,
      ),
    );
    const config = join(dir.path, "none.yml");
    await assert.rejects(health(config, {}, []), failure(/none\.yml cannot be read \(ENOENT\)\. Name a readable file/));
  });
});

describe("A call of health", () => {
  it("is read without the parser of options where it is as health checks write it", () => {
    const env = { DELIVERD_CONFIG: "/env.yml" };
    assert.deepEqual(plainHealthCall(["health"], {}), { config: undefined });
    assert.deepEqual(plainHealthCall(["health"], env), { config: "/env.yml" });
    assert.deepEqual(plainHealthCall(["health", "--config", "a.yml"], env), { config: "a.yml" });
    assert.deepEqual(plainHealthCall(["health", "--config=a.yml"], env), { config: "a.yml" });
  });

  it("is left to the parser otherwise", () => {
    for (const words of [
      [],
      ["start"],
      ["health", "--help"],
      ["health", "--config"],
      ["health", "--config", "--help"],
      ["health", "--config="],
      ["health", "extra"],
      ["health", "--config", "a.yml", "--no-color"],
      ["--config", "a.yml", "health"],
    ])
      assert.equal(plainHealthCall(words, {}), null, words.join(" "));
  });
});

describe("The code of deliverd health", () => {
  it("loads no package before it has to read a file, and then only the reader of YAML", async () => {
    const built = await build({
      entryPoints: ["src/cli/health.ts"],
      ...{ bundle: true, splitting: true, format: "esm", platform: "node", outdir: "unused", write: false },
      metafile: true,
      treeShaking: true,
    });
    const entry = Object.values(built.metafile.outputs).find((output) => output.entryPoint === "src/cli/health.ts");
    const atOnce = Object.keys(entry?.inputs ?? {});
    assert.ok(atOnce.includes("src/cli/health.ts"), atOnce.join());
    assert.deepEqual(
      atOnce.filter((input) => input.includes("node_modules")),
      [],
    );
    const packages = Object.keys(built.metafile.inputs).flatMap(
      (input) => /^node_modules\/([^/]+)/.exec(input)?.[1] ?? [],
    );
    assert.deepEqual([...new Set(packages)], ["yaml"]);
  });
});

describe("The processes of deliverd", () => {
  const lines: [words: string, command: string | null, config: string | null][] = [
    ["node /usr/local/bin/deliverd start", "start", null],
    ["tini -- /usr/local/bin/deliverd worker", "worker", null],
    ["node --import=tsx /srv/deliverd/src/cli/index.ts --config start receiver", "receiver", "start"],
    ["node dist/src/cli/index.js worker --config=/etc/d.yml", "worker", "/etc/d.yml"],
    ["node /usr/local/bin/deliverd health", null, null],
    ["vim deliverd.yml start", null, null],
    ["", null, null],
  ];
  for (const [words, command, config] of lines) {
    it(`are told by their command line: "${words}" is ${command === null ? "none" : `deliverd ${command}`}`, () => {
      const expected = command === null ? null : { command, config };
      assert.deepEqual(readCommandLine(words.split(" ")), expected);
    });
  }

  it("are found in /proc, each once, if they are in the same network namespace", async () => {
    const dir = await tempDir();
    try {
      const add = async (pid: string, words: string, network: string, cwd = "/") => {
        await mkdir(join(dir.path, pid, "ns"), { recursive: true });
        await writeFile(join(dir.path, pid, "cmdline"), words.replaceAll(" ", "\0"));
        await symlink(network, join(dir.path, pid, "ns/net"));
        await symlink(cwd, join(dir.path, pid, "cwd"));
      };
      await add("self", "node health", "net:[1]");
      await add("1", "tini -- deliverd worker --config d.yml", "net:[1]", "/srv");
      await add("7", "node /usr/local/bin/deliverd worker --config d.yml", "net:[1]", "/srv");
      await add("8", "node /usr/local/bin/deliverd start", "net:[2]");
      assert.deepEqual(daemonProcesses(dir.path), [{ command: "worker", config: "/srv/d.yml" }]);
      assert.deepEqual(daemonProcesses(join(dir.path, "none")), []);
    } finally {
      await dir.remove();
    }
  });
});
