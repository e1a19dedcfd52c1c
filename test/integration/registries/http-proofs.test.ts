import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { verify } from "../../../src/cli/verify/index.ts";
import type { Attachment } from "../../../src/delivery/proof/attachment.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { httpRegistry } from "../../../src/registries/http/registry.ts";
import type { StampedContent } from "../../../src/registries/registry.ts";
import { Store } from "../../../src/store/store.ts";
import { freeze } from "../../support/fixtures/packages.ts";
import { attachment } from "../../support/fixtures/proofs.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { startNginx } from "../../support/registries/files/nginx.ts";
import { type FileServer, LOGIN } from "../../support/registries/files/server.ts";

const NAME = { registry: "files", repository: "acme/tools/cli", tag: "1.0.0", immutable: true };
const FILES = { "cli-linux": Buffer.from("linux\n".repeat(100)), "cli-mac": Buffer.from("mac\n") };
const signer = fileSigner(newKey(), "");
const policy = { repo: null, branch: null, commit: null, builder: null, checks: ["test"], app: null, maxAge: null };

describe("The proof of files on a plain HTTP store (nginx)", () => {
  let dir: TempDir;
  let server: FileServer;
  let content: StampedContent;
  let proof: Attachment;
  let registry: ReturnType<typeof httpRegistry>;

  before(async () => {
    dir = await tempDir();
    server = await startNginx("basic");
    const store = new Store(join(dir.path, "store"));
    registry = httpRegistry("files", { url: `${server.url}/artifacts`, ...LOGIN }, { store });
    content = await freeze(store, FILES, "file");
    proof = await attachment(signer, content.digest, {
      ...{ artifact: "cli", kind: "file", content: { digest: content.digest, files: content.files ?? [] } },
    });
    await registry.publish(content, NAME, testRun());
  });
  after(async () => {
    await server?.stop();
    await dir?.remove();
  });

  const attach = () => registry.attach(proof, [NAME], { legacyTag: false }, testRun(), content);
  const fetched = async (file: string) => {
    const url = `${server.url}/artifacts/${NAME.repository}/${NAME.tag}/${file}`;
    const login = ["-u", `${LOGIN.username}:${LOGIN.password}`];
    return (await promisify(execFile)("curl", ["-sSf", ...login, url], { encoding: "buffer" })).stdout;
  };

  it("stands beside each file, with an envelope on each line", async () => {
    assert.match((await attach()) ?? "", /beside each file/);
    for (const file of Object.keys(FILES)) {
      const lines = (await fetched(`${file}.intoto.jsonl`)).toString().trimEnd().split("\n");
      assert.deepEqual(
        lines.map((line) => JSON.parse(line)),
        proof.statements.map(({ bundle }) => JSON.parse(bundle).dsseEnvelope),
      );
    }
  });

  it("verifies as a person downloads it, offline", async () => {
    await attach();
    const key = join(dir.path, "key.pub");
    await writeFile(key, signer.publicKey);
    for (const file of Object.keys(FILES)) {
      const target = join(dir.path, file);
      await writeFile(target, await fetched(file));
      await writeFile(`${target}.intoto.jsonl`, await fetched(`${file}.intoto.jsonl`));
      const verification = await verify({ target, policy, server: null, keys: [key], bundles: [] });
      assert.deepEqual([verification.verified, verification.failures], [true, []]);
      const digest = createHash("sha256")
        .update(await fetched(file))
        .digest("hex");
      assert.deepEqual(verification.digests, [`sha256:${digest}`]);
    }
  });

  it("is the same at the next try, and is put back where another file took its place", async () => {
    await attach();
    const before = await fetched("cli-mac.intoto.jsonl");
    await attach();
    assert.deepEqual(await fetched("cli-mac.intoto.jsonl"), before);
    const url = `${server.url}/artifacts/${NAME.repository}/${NAME.tag}/cli-mac.intoto.jsonl`;
    const authorization = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString("base64")}`;
    await fetch(url, { method: "PUT", body: "{}\n", headers: { authorization } });
    await attach();
    assert.deepEqual(await fetched("cli-mac.intoto.jsonl"), before);
  });

  it("leaves the files and their metadata as they are", async () => {
    await attach();
    assert.equal((await registry.find(NAME, testRun(), content))?.digest, content.digest);
    await registry.publish(content, NAME, testRun());
  });
});
