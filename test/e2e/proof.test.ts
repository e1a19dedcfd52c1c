import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type TempDir, tempDir, until } from "../support/processes/process.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

const run = promisify(execFile);

interface Verified {
  verified: boolean;
  failures: { code: string }[];
  proven: { commit: string; tests: { passedTests: string[] } | null } | null;
}

describe("The proof of a release, from the push to deliverd verify,", function () {
  this.timeout(180_000);
  let world: World;
  let dir: TempDir;
  let repo: SampleRepo;
  let sha: string;
  let digest: string;

  before(async () => {
    dir = await tempDir();
    world = await startWorld();
    repo = await world.repo("api", {
      ".deliverd.yml": pipeline([
        image("api", {
          publish: [
            { to: "local", as: "acme/api" },
            { to: "second", as: "acme/api" },
          ],
        }),
      ]),
    });
    sha = await world.release(repo, "api");
    const [release] = await world.releases(repo, sha);
    digest = release?.digest ?? "";
    await until("the proof stands", async () => (await proofOf("api")).state === "stands");
    await writeFile(join(dir.path, "deliverd.pub"), await cli("keys", "--pem", "--config", world.deliverd.configFile));
  });
  after(async () => {
    await world?.stop();
    await dir?.remove();
  });

  const proofOf = (artifact: string) =>
    world.deliverd.api<{
      state: string;
      bundles: { predicateType: string; bundle: unknown }[];
      places: { registry: string; state: string }[];
    }>(`/api/v1/releases/${artifact}/latest/proof`);
  const cli = async (...args: string[]) => (await run(process.execPath, [BIN, ...args])).stdout;
  const verify = async (...args: string[]): Promise<Verified> => {
    const key = ["--key", join(dir.path, "deliverd.pub")];
    const { stdout } = await run(process.execPath, [BIN, "verify", ...args, ...key, "--json"]).catch(
      (error: { stdout: string; code: number }) => {
        assert.equal(error.code, 1, error.stdout);
        return error;
      },
    );
    return JSON.parse(stdout) as Verified;
  };

  it("stands in every registry, and the release says so", async () => {
    const { places, bundles } = await proofOf("api");
    assert.deepEqual(
      places.map(({ registry, state }) => [registry, state]),
      [
        ["local", "stands"],
        ["second", "stands"],
      ],
    );
    assert.equal(bundles.length, 2);
    const [release] = (await world.releases(repo, sha)) as unknown as { proof: string }[];
    assert.equal(release?.proof, "stands");
  });

  it("is verified from a registry by whoever has the key, with the check that was green", async () => {
    const policy = ["--repo", "acme/api", "--branch", "main", "--require-check", "test", "--max-age", "1h"];
    const { verified, proven, failures } = await verify(`${world.second.host}/acme/api@${digest}`, ...policy);
    assert.deepEqual([verified, failures], [true, []]);
    assert.equal(proven?.commit, sha);
    assert.deepEqual(proven?.tests?.passedTests, ["test"]);
  });

  it("is refused where the policy demands a check that did not run", async () => {
    const { failures } = await verify(`${world.second.host}/acme/api@${digest}`, "--require-check", "e2e");
    assert.deepEqual(
      failures.map(({ code }) => code),
      ["proof-check-missing"],
    );
  });

  it("is verified for a layout that was pulled, and refused once a byte is flipped", async () => {
    const folder = join(dir.path, "layout");
    const config = ["--config", world.deliverd.configFile];
    await cli("pull", "api@latest", "--layout", "--output", folder, ...config);
    const bundles = join(dir.path, "bundles.jsonl");
    const lines = (await proofOf("api")).bundles.map(({ bundle }) => `${JSON.stringify(bundle)}\n`);
    await writeFile(bundles, lines.join(""));
    assert.equal((await verify(folder, "--bundle", bundles)).verified, true);
    const blobs = join(folder, "blobs/sha256");
    const sizes = await Promise.all(
      (await readdir(blobs)).map(async (name) => ({ name, size: (await stat(join(blobs, name))).size })),
    );
    const [largest] = sizes.toSorted((a, b) => b.size - a.size);
    const file = join(blobs, largest?.name ?? "");
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await writeFile(file, bytes);
    const { verified, failures } = await verify(folder, "--bundle", bundles);
    assert.deepEqual([verified, failures[0]?.code], [false, "proof-content-differs"]);
  });

  it("is verified by trust in the server alone", async () => {
    const server = ["--server", world.deliverd.url];
    const env = { ...process.env, DELIVERD_TOKEN: world.deliverd.adminToken };
    const what = `${world.second.host}/acme/api@${digest}`;
    const { stdout } = await run(process.execPath, [BIN, "verify", what, ...server], { env });
    assert.match(stdout, /: verified\n/);
    assert.match(stdout, new RegExp(`commit +${sha} of refs/heads/main`));
    assert.match(stdout, /✓ test/);
  });

  it("lists its key openly, and never shows the private one", async () => {
    const answer = await fetch(`${world.deliverd.url}/.well-known/deliverd/keys.json`);
    const { keys } = (await answer.json()) as { keys: { publicKey: string }[] };
    assert.equal(keys.length, 1);
    const pem = await readFile(join(world.deliverd.dataDir, "proof-key.pem"), "utf8");
    const secrets = pem.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
    const routes = [
      "/metrics",
      "/api/v1/releases",
      "/api/v1/releases/api/latest/proof",
      "/.well-known/deliverd/keys.json",
    ];
    const answers = await Promise.all(routes.map(async (path) => (await world.deliverd.fetch(path)).text()));
    for (const secret of secrets)
      for (const text of [...answers, world.deliverd.output(), await world.log(repo, sha)])
        assert.ok(!text.includes(secret), "a line of the private key");
  });

  it("costs a start nothing: Sigstore's libraries are in no file that a start reads", async () => {
    const seen = new Set<string>();
    const walk = async (file: string): Promise<void> => {
      if (seen.has(file)) return;
      seen.add(file);
      const text = await readFile(file, "utf8");
      assert.ok(!text.includes("BUNDLE_V03_LEGACY_MEDIA_TYPE"), file);
      for (const [, target = ""] of text.matchAll(/(?:from|import)\s*"(\.[^"]+)"/g))
        await walk(join(dirname(file), target));
    };
    await walk(BIN);
    const chunks = await readdir(join(dirname(BIN), "../../chunks"));
    for (const name of ["run", "serve", "work"])
      for (const chunk of chunks.filter((each) => each.startsWith(`${name}-`) && each.endsWith(".js")))
        await walk(join(dirname(BIN), "../../chunks", chunk));
    assert.ok(seen.size > 5, `${seen.size} files`);
  });
});
