import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readPublishedKeys } from "../../../src/delivery/proof/key-list.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { openSigner } from "../../../src/proof/open-signer.ts";
import { signed } from "../../support/fixtures/proofs.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

const NONE = { key: null, previousKey: null, awsKms: null };
const never = () => assert.fail("nothing is learned");

describe("the key of proofs", () => {
  let dir: TempDir;
  beforeEach(async () => {
    dir = await tempDir();
  });
  afterEach(() => dir.remove());

  it("is made at the first start, for its owner alone, and stays the same", async () => {
    const learned: string[] = [];
    const open = async () => (await openSigner(NONE, dir.path, "s1", (secret) => learned.push(secret))).open();
    const [first, again] = [await open(), await open()];
    assert.equal(first.keyId, again.keyId);
    const file = join(dir.path, "proof-key.pem");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(dir.path), ["proof-key.pem"]);
    assert.deepEqual(learned, Array(2).fill(await readFile(file, "utf8")));
  });

  it("is one key, however many processes make it at the same time", async () => {
    const opened = await Promise.all(
      Array.from({ length: 8 }, async () => (await openSigner(NONE, dir.path, "s1", () => {})).open()),
    );
    assert.equal(new Set(opened.map(({ keyId }) => keyId)).size, 1);
  });

  it("is the configured one, and then none is made", async () => {
    const key = newKey();
    const source = await openSigner({ ...NONE, key, previousKey: newKey() }, dir.path, "s1", never);
    assert.equal((await source.open()).keyId, fileSigner(key, "").keyId);
    assert.ok(source.previous);
    assert.deepEqual(await readdir(dir.path), []);
  });

  it("takes the key before from a file beside its own", async () => {
    const before = newKey();
    await writeFile(join(dir.path, "proof-key.previous.pem"), before);
    const { previous } = await openSigner(NONE, dir.path, "s1", () => {});
    assert.equal(previous?.keyId, fileSigner(before, "").keyId);
  });

  it("is read in the forms that openssl writes", async () => {
    const sec1 = execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"], { encoding: "utf8" });
    const pkcs8 = execFileSync("openssl", ["pkcs8", "-topk8", "-nocrypt"], { input: sec1, encoding: "utf8" });
    assert.equal(fileSigner(sec1, "").keyId, fileSigner(pkcs8, "").keyId);
  });

  const pem = (type: "rsa" | "ed25519" | "P-384"): string => {
    const { privateKey } =
      type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : type === "ed25519"
          ? generateKeyPairSync("ed25519")
          : generateKeyPairSync("ec", { namedCurve: type });
    return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  };
  const wrong: [title: string, key: string][] = [
    ["another curve", pem("P-384")],
    ["RSA", pem("rsa")],
    ["Ed25519", pem("ed25519")],
    ["a text that is no key", "canary-of-a-key"],
    ["half a key", newKey().slice(0, 90)],
  ];
  for (const [title, key] of wrong) {
    it(`is refused where it is ${title}, without a word of it in the error (proof-key)`, () => {
      assert.throws(
        () => fileSigner(key, "proof.key"),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, "proof-key");
          assert.match(error.message, /^proof\.key: .*P-256/);
          const lines = key.split("\n").filter((line) => line.length > 8 && !line.startsWith("-----"));
          assert.ok(lines.every((line) => !`${error.message}${error.stack}${String(error.cause)}`.includes(line)));
          return true;
        },
      );
    });
  }

  it("cannot be read by others even if the folder can", async () => {
    await chmod(dir.path, 0o755);
    await openSigner(NONE, dir.path, "s1", () => {});
    assert.equal((await stat(join(dir.path, "proof-key.pem"))).mode & 0o077, 0);
  });
});

describe("a signed statement", () => {
  it("is verified by openssl over an encoding that openssl's user makes", async () => {
    const dir = await tempDir();
    try {
      const signer = fileSigner(newKey(), "");
      const [{ bundle } = { bundle: "" }] = await signed(signer);
      await writeFile(join(dir.path, "bundle.json"), bundle);
      await writeFile(join(dir.path, "key.pub"), signer.publicKey);
      const script = new URL("verify-with-openssl.sh", import.meta.url).pathname;
      const said = execFileSync("sh", [script, "bundle.json", "key.pub"], { cwd: dir.path, encoding: "utf8" });
      assert.equal(said, "Verified OK\n");
    } finally {
      await dir.remove();
    }
  });

  it("names its key in the bundle and in the envelope alike, and has one signature", async () => {
    const signer = fileSigner(newKey(), "");
    for (const { bundle } of await signed(signer)) {
      const { mediaType, verificationMaterial, dsseEnvelope } = JSON.parse(bundle);
      assert.equal(mediaType, "application/vnd.dev.sigstore.bundle.v0.3+json");
      assert.equal(verificationMaterial.publicKey.hint, signer.keyId);
      assert.deepEqual(
        dsseEnvelope.signatures.map(({ keyid }: { keyid: string }) => keyid),
        [signer.keyId],
      );
    }
  });
});

describe("the lists of a server's keys", () => {
  it("are no list where they are written otherwise", () => {
    for (const data of [null, {}, { keys: [{}], history: [] }, "x"]) assert.equal(readPublishedKeys(data), null);
  });
});
