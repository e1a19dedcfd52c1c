import assert from "node:assert/strict";
import { inspect } from "node:util";
import { TransientError } from "../../../src/delivery/errors.ts";
import { GitFailed } from "../../../src/git/git.ts";
import { hostFailure } from "../../../src/git/host-failure.ts";

const url = "https://git.example.com/acme/api.git";

describe("The failure of a git host", () => {
  const codes: [string, string][] = [
    [
      "fatal: unable to access 'https://git.example.com/': Could not resolve host: git.example.com",
      "git-host-unreachable",
    ],
    [
      "fatal: unable to access 'https://git.example.com/': Failed to connect to git.example.com port 443: Connection refused",
      "git-host-unreachable",
    ],
    [
      "fatal: unable to access 'https://git.example.com/': SSL certificate problem: unable to get local issuer certificate",
      "git-host-unreachable",
    ],
    ["fatal: unable to access 'https://git.example.com/': The requested URL returned error: 502", "git-host-error"],
    ["error: RPC failed; HTTP 504 curl 22 The requested URL returned error: 504", "git-host-error"],
    ["fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", "git-host-error"],
    ["fatal: unable to access 'https://git.example.com/': The requested URL returned error: 429", "git-host-limited"],
    ["fatal: could not read Username for 'https://git.example.com': terminal prompts disabled", "git-access-denied"],
    ["fatal: Authentication failed for 'https://git.example.com/acme/api.git/'", "git-access-denied"],
    [
      "remote: Repository not found.\nfatal: repository 'https://git.example.com/acme/api.git/' not found",
      "git-access-denied",
    ],
    ["fatal: unable to access 'https://git.example.com/': The requested URL returned error: 301", "git-redirected"],
  ];
  for (const [stderr, code] of codes) {
    it(`is ${code} for "${stderr.split("\n").at(-1)}"`, () => {
      const error = hostFailure(new GitFailed("fetch", 128, stderr), { url, authorization: null });
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, code);
      assert.match(error.message, /git\.example\.com/);
      assert.match(error.message, /acme\/api/);
    });
  }

  it("stays what it is where git did not fail", () => {
    const bug = new TypeError("x");
    assert.equal(hostFailure(bug, { url, authorization: null }), bug);
  });

  it("never tells a credential that the host echoes, nor its control characters", () => {
    const basic = Buffer.from("x-access-token:s3cr3t-t0ken").toString("base64");
    const stderr = `remote: \x1b[31mbad header Basic ${basic} of x-access-token:s3cr3t-t0ken, s3cr3t-t0ken\nfatal: The requested URL returned error: 500`;
    const error = hostFailure(new GitFailed("fetch", 128, stderr), { url, authorization: `Basic ${basic}` });
    assert.ok(error instanceof TransientError);
    const all = inspect(error, { depth: 9 });
    for (const secret of [basic, "s3cr3t", "\x1b"]) assert.ok(!all.includes(secret), all);
    const bearer = hostFailure(new GitFailed("fetch", 128, "remote: Bearer abc.def"), {
      url,
      authorization: "Bearer abc.def",
    });
    assert.ok(!inspect(bearer, { depth: 9 }).includes("abc.def"));
  });
});
