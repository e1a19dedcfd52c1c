import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { freePort } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";

describe("A command that asks a server", () => {
  let other: ScriptedServer;
  before(async () => {
    other = await startScriptedServer((_asked, response) => response.end("Welcome to another program"));
  });
  after(() => other.close());

  it("says that https was spoken to a port without TLS", async () => {
    const { code, stderr } = await ask(other.url.replace("http:", "https:"));
    assert.equal(code, 1);
    assert.match(stderr, /^https:\S+ does not answer: what listens there does not speak TLS: write the URL for no TLS/);
  });

  it("says that something else answers", async () => {
    const { code, stderr } = await ask(other.url);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /does not answer in JSON\. Check that --server or DELIVERD_SERVER is the address of deliverd\.\n$/,
    );
  });

  it("says that nothing listens", async () => {
    const { code, stderr } = await ask(`http://127.0.0.1:${await freePort()}`);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /does not answer: connect ECONNREFUSED .* Name the server with --server or DELIVERD_SERVER\.\n$/,
    );
  });

  for (const address of ["127.0.0.1:8080", "deliverd", "ftp://deliverd.example.com"]) {
    it(`takes ${address} for wrong usage, and says what an address is`, async () => {
      const { code, stderr } = await ask(address);
      assert.equal(code, 2);
      assert.match(stderr, /^".*" is not the address of a server: write one such as http:\/\//);
    });
  }

  /** Exits with a failure, and prints no stack. */
  async function ask(server: string): Promise<{ code: number; stderr: string }> {
    const asking = promisify(execFile)(process.execPath, [BIN, "deliveries", "--server", server], {
      env: { PATH: process.env.PATH },
    });
    const failed = await asking.then(
      () => assert.fail("it succeeded"),
      (error: { code: number; stderr: string }) => error,
    );
    assert.doesNotMatch(failed.stderr, /\n\s+at |SSL routines/);
    return failed;
  }
});
