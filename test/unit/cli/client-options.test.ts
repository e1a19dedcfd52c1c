import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clientOptions } from "../../../src/cli/client-options.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

describe("The server and the token of a client command", () => {
  let dir: TempDir;
  let config: string;
  beforeEach(async () => {
    dir = await tempDir();
    config = join(dir.path, "deliverd.yml");
  });
  afterEach(() => dir.remove());

  const write = (text: string) => writeFile(config, text);
  const places = async (given: { server?: string; config?: string }, env: Record<string, string>) => {
    const { server, token } = await clientOptions(given, env);
    return [server, token];
  };
  const local = (port: number) => `http://127.0.0.1:${port}`;

  it("come from the file of --config, which may refer to secrets that are not set here", async () => {
    await write(`port: 9000\nadminToken: from-file\nhosts: { github: { token: "\${NOT_SET_HERE}" } }\n`);
    assert.deepEqual(await places({ config }, {}), [local(9000), "from-file"]);
    assert.deepEqual(await places({}, { DELIVERD_CONFIG: config }), [local(9000), "from-file"]);
    await write(`adminToken: "\${TOKEN_HERE}"\n`);
    assert.deepEqual(await places({ config }, { TOKEN_HERE: "from-variable" }), [local(8080), "from-variable"]);
  });

  it("come from dataDir/admin-token if the file has no adminToken", async () => {
    await mkdir(join(dir.path, "data"));
    await writeFile(join(dir.path, "data", "admin-token"), "made-at-first-start\n");
    await write(`dataDir: ${join(dir.path, "data")}\n`);
    assert.deepEqual(await places({ config }, {}), [local(8080), "made-at-first-start"]);
    const env = { DELIVERD_DATA_DIR: join(dir.path, "data"), PORT: "9001" };
    assert.deepEqual(await places({}, env), [local(9001), "made-at-first-start"]);
    await write("dataDir: /nowhere\nport: 1\n");
    assert.deepEqual(await places({ config }, env), [local(9001), "made-at-first-start"]);
  });

  it("come from the command line before the environment", async () => {
    await write("port: 9000\nadminToken: from-file\n");
    const env = { DELIVERD_SERVER: "https://else.example.com/", DELIVERD_TOKEN: "from-token" };
    assert.deepEqual(await places({}, env), ["https://else.example.com", "from-token"]);
    assert.deepEqual(await places({}, { ...env, DELIVERD_CONFIG: config }), ["https://else.example.com", "from-token"]);
    assert.deepEqual(await places({ config }, env), [local(9000), "from-file"]);
    assert.deepEqual(await places({ config, server: "http://one.example.com" }, env), [
      "http://one.example.com",
      "from-file",
    ]);
    assert.deepEqual(await places({ server: "http://one.example.com" }, env), ["http://one.example.com", "from-token"]);
    await write(`adminToken: "\${NOT_SET_HERE}"\n`);
    assert.deepEqual(await places({ config }, env), [local(8080), "from-token"]);
  });

  it("take empty variables for missing ones, as Compose passes them", async () => {
    const env = Object.fromEntries(
      ["SERVER", "TOKEN", "TOKEN_FILE", "CONFIG", "PUBLIC_URL", "ADMIN_TOKEN", "DATA_DIR"].map((name) => [
        `DELIVERD_${name}`,
        "",
      ]),
    );
    assert.deepEqual(await places({ server: "" }, { ...env, PORT: "" }), [local(8080), null]);
    assert.deepEqual(await places({}, { ...env, DELIVERD_ADMIN_TOKEN: "admin", DELIVERD_PUBLIC_URL: "http://p" }), [
      "http://p",
      "admin",
    ]);
  });

  it("may be in a file: DELIVERD_TOKEN_FILE", async () => {
    const file = join(dir.path, "token");
    await writeFile(file, "from-a-secret\n");
    assert.deepEqual(await places({}, { DELIVERD_TOKEN_FILE: file }), [local(8080), "from-a-secret"]);
    await assert.rejects(places({}, { DELIVERD_TOKEN_FILE: `${file}-none` }), /DELIVERD_TOKEN_FILE: .*ENOENT/);
  });

  it("are an error if --config cannot be used, but not if the file of DELIVERD_CONFIG is not needed", async () => {
    for (const text of ["port: many\n", "port: [1]\nport: 2\n", `port: "\${NOT_SET_HERE}"\n`]) {
      await write(text);
      await assert.rejects(places({ config }, {}), /deliverd\.yml:\d: port: /, text);
    }
    const none = join(dir.path, "none.yml");
    await assert.rejects(places({ config: none }, {}), /none\.yml: the configuration file cannot be read \(ENOENT\)/);
    assert.deepEqual(await places({}, { DELIVERD_CONFIG: none }), [local(8080), null]);
  });

  it("are wrong usage if the address is none, and the message holds no password", async () => {
    for (const server of [
      "localhost:8080",
      "127.0.0.1",
      "ftp://a",
      "nonsense",
      "http://",
      "http://a?x=1",
      "http://a#b",
    ])
      await assert.rejects(places({ server }, {}), /is not the address of a server/, server);
    await assert.rejects(places({ server: "http://sam:canary@a" }, {}), (error: Error) => {
      assert.match(error.message, /must hold no password/);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  });

  it("never show the token in an error, also a token that no header can hold", async () => {
    for (const token of ["canary\nx", "can ary", "canáry"]) {
      await assert.rejects(places({}, { DELIVERD_TOKEN: token }), (error: Error) => {
        assert.match(error.message, /^The token from DELIVERD_TOKEN has characters/);
        assert.ok(!error.message.includes(token));
        return true;
      });
    }
  });
});
