import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { verify } from "../../../src/cli/verify/index.ts";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { attachment } from "../../support/fixtures/proofs.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { taggedList, withReferrersApi } from "../../support/registries/referrers.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";

const signer = fileSigner(newKey(), "");
const NAME = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const policy = { repo: null, branch: null, commit: null, builder: null, checks: ["test"], app: null, maxAge: null };
const sha256 = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("deliverd verify of an image", () => {
  const oci = useScriptedOci();
  let dir: TempDir;
  let image: Frozen;
  let host: string;
  beforeEach(async () => {
    dir = await tempDir();
    await writeFile(join(dir.path, "key.pub"), signer.publicKey);
    image = await freezeImage(oci.store, { family: "oci" });
    host = new URL(oci.server.url).host;
  });
  afterEach(() => dir.remove());

  const publish = async () => {
    const registry = oci.open();
    await registry.publish(image, NAME, testRun());
    await registry.attach(await attachment(signer, image.digest), [NAME], { legacyTag: false }, testRun());
  };
  const check = (target: string) =>
    verify({ target, policy, server: null, keys: [join(dir.path, "key.pub")], bundles: [] });
  const codesOf = async (target: string) => (await check(target)).failures.map(({ code }) => code);

  describe("in a registry", () => {
    for (const api of ["with the API of referrers", "without it"]) {
      describe(api, () => {
        beforeEach(async () => {
          if (api.startsWith("with the")) withReferrersApi(oci.server);
          await publish();
        });

        it("holds by digest and by tag", async () => {
          for (const reference of [`:1.0.0`, `@${image.digest}`]) {
            const { verified, failures, digests } = await check(`${host}/acme/a${reference}`);
            assert.deepEqual([verified, failures, digests], [true, [], [image.digest]]);
          }
        });

        it("fails where the tag was moved to another image (proof-missing)", async () => {
          const other = await freezeImage(oci.store);
          await oci.open().publish(other, { ...NAME, tag: "2.0.0" }, testRun());
          const moved = oci.server.manifests.get("acme/a:2.0.0");
          assert.ok(moved);
          oci.server.manifests.set("acme/a:1.0.0", moved);
          assert.deepEqual(await codesOf(`${host}/acme/a:1.0.0`), ["proof-missing"]);
        });

        it("fails where the registry sends other bytes for the digest (content-differs)", async () => {
          const stands = oci.server.manifests.get(`acme/a:${image.digest}`);
          assert.ok(stands);
          const bytes = Buffer.concat([stands.bytes, Buffer.from(" ")]);
          oci.server.manifests.set(`acme/a:${image.digest}`, { ...stands, bytes });
          assert.deepEqual(await codesOf(`${host}/acme/a@${image.digest}`), ["content-differs"]);
        });

        it("fails where a statement has other bytes than the registry says (content-differs)", async () => {
          const [digest] = [...oci.server.blobs].find(([, bytes]) => bytes.includes("dsseEnvelope")) ?? [];
          assert.ok(digest);
          const bytes = oci.server.blobs.get(digest) ?? Buffer.alloc(0);
          oci.server.blobs.set(digest, Buffer.from(bytes.toString().replace("payloadType", "payloadtype")));
          assert.deepEqual(await codesOf(`${host}/acme/a:1.0.0`), ["content-differs"]);
        });

        it("fails where there is no such image (proof-image-missing)", async () => {
          const codes = await Promise.all(
            [`${host}/acme/a:9.9.9`, `${host}/acme/a@sha256:${"0".repeat(64)}`].map(codesOf),
          );
          assert.deepEqual(codes, [["proof-image-missing"], ["proof-image-missing"]]);
        });
      });
    }

    it("fails where the list of referrers was emptied (proof-missing)", async () => {
      await publish();
      const tag = `acme/a:${image.digest.replace(":", "-")}`;
      const list = oci.server.manifests.get(tag);
      assert.ok(list && taggedList(oci.server, "acme/a", image.digest)?.length === 2);
      oci.server.manifests.set(tag, {
        ...list,
        bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] })),
      });
      assert.deepEqual(await codesOf(`${host}/acme/a:1.0.0`), ["proof-missing"]);
    });

    it("holds whatever the annotations of a referrer say: only what is signed counts", async () => {
      await publish();
      const tag = `acme/a:${image.digest.replace(":", "-")}`;
      const list = oci.server.manifests.get(tag);
      assert.ok(list);
      const lie = list.bytes.toString().replaceAll("https://slsa.dev/provenance/v1", "https://example.com/other");
      oci.server.manifests.set(tag, { ...list, bytes: Buffer.from(lie) });
      assert.equal((await check(`${host}/acme/a:1.0.0`)).verified, true);
    });
  });

  describe("in an OCI layout on disk", () => {
    let folder: string;
    beforeEach(async () => {
      await publish();
      folder = join(dir.path, "layout");
      await layoutOf(folder);
    });

    /** As `oras copy -r` writes one: the image, and the referrers beside it. */
    async function layoutOf(path: string): Promise<void> {
      await mkdir(join(path, "blobs/sha256"), { recursive: true });
      const manifests = taggedList(oci.server, "acme/a", image.digest) ?? [];
      const put = (bytes: Buffer) => writeFile(join(path, "blobs/sha256", sha256(bytes).slice(7)), bytes);
      for (const digest of [image.digest, ...manifests.map((each) => each.digest)])
        await put(oci.server.manifests.get(`acme/a:${digest}`)?.bytes ?? Buffer.alloc(0));
      for (const bytes of oci.server.blobs.values()) await put(bytes);
      const root = { mediaType: image.mediaType, digest: image.digest, size: 1 };
      await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [root, ...manifests] }));
      await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    }

    const manifest = async () =>
      JSON.parse(await readFile(join(folder, "blobs/sha256", image.digest.slice(7)), "utf8")) as {
        config: { digest: string };
        layers: { digest: string }[];
      };
    const flip = async (digest: string) => {
      const path = join(folder, "blobs/sha256", digest.slice(7));
      const bytes = await readFile(path);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      await writeFile(path, bytes);
    };

    it("holds without any network", async () => {
      await oci.server.stop();
      assert.deepEqual((await check(folder)).failures, []);
    });

    const rows: [title: string, change: () => Promise<void>][] = [
      ["a byte of a layer is changed", async () => flip((await manifest()).layers[0]?.digest ?? "")],
      ["a byte of the last layer is changed", async () => flip((await manifest()).layers.at(-1)?.digest ?? "")],
      ["a byte of the config is changed", async () => flip((await manifest()).config.digest)],
      ["a byte of the manifest is changed", () => flip(image.digest)],
      [
        "a layer is missing",
        async () => rm(join(folder, "blobs/sha256", (await manifest()).layers[0]?.digest.slice(7) ?? "")),
      ],
      [
        "two layers have changed places",
        async () => {
          const [one, other] = (await manifest()).layers.map(({ digest }) =>
            join(folder, "blobs/sha256", digest.slice(7)),
          );
          assert.ok(one && other);
          const [first, second] = [await readFile(one), await readFile(other)];
          await writeFile(one, second);
          await writeFile(other, first);
        },
      ],
      [
        "it holds two images",
        async () => {
          const other = await freezeImage(oci.store);
          const { manifests } = await oci.store.contentOf(other.digest);
          const [bytes] = manifests.map((each) => each.bytes);
          await writeFile(join(folder, "blobs/sha256", other.digest.slice(7)), bytes ?? "");
          const index = JSON.parse(await readFile(join(folder, "index.json"), "utf8"));
          index.manifests.push({ mediaType: other.mediaType, digest: other.digest, size: 1 });
          await writeFile(join(folder, "index.json"), JSON.stringify(index));
        },
      ],
    ];
    for (const [title, change] of rows) {
      it(`fails where ${title} (proof-content-differs)`, async () => {
        await change();
        assert.deepEqual(await codesOf(folder), ["proof-content-differs"]);
      });
    }

    it("fails where the image was exchanged for another one (proof-subject)", async () => {
      const index = JSON.parse(await readFile(join(folder, "index.json"), "utf8"));
      const path = join(folder, "blobs/sha256", image.digest.slice(7));
      const bytes = Buffer.concat([await readFile(path), Buffer.from(" ")]);
      await writeFile(join(folder, "blobs/sha256", sha256(bytes).slice(7)), bytes);
      index.manifests[0].digest = sha256(bytes);
      for (const name of await readdir(join(folder, "blobs/sha256"))) {
        const file = join(folder, "blobs/sha256", name);
        const text = await readFile(file, "utf8");
        if (!text.includes('"subject"') || !text.startsWith('{"schemaVersion"')) continue;
        const moved = Buffer.from(text.replaceAll(image.digest, sha256(bytes)));
        await writeFile(join(folder, "blobs/sha256", sha256(moved).slice(7)), moved);
        for (const entry of index.manifests) if (entry.digest === `sha256:${name}`) entry.digest = sha256(moved);
      }
      await writeFile(join(folder, "index.json"), JSON.stringify(index));
      assert.deepEqual(await codesOf(folder), ["proof-subject"]);
    });
  });

  describe("in a tar that deliverd pull wrote", () => {
    it("holds with the statements of a file, and fails with a byte changed (proof-content-differs)", async () => {
      const { createWriteStream } = await import("node:fs");
      const file = join(dir.path, "api.tar");
      await publish();
      const { digest } = image;
      await oci.open().pull(NAME, createWriteStream(file), testRun(), { digest });
      const { statements } = await attachment(signer, digest);
      const bundles = join(dir.path, "proof.jsonl");
      await writeFile(bundles, statements.map(({ bundle }) => `${bundle}\n`).join(""));
      const order = { target: file, policy, server: null, keys: [join(dir.path, "key.pub")], bundles: [bundles] };
      assert.deepEqual((await verify(order)).failures, []);
      const bytes = await readFile(file);
      const at = bytes.length - 4_096;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(file, bytes);
      assert.equal((await verify(order)).verified, false);
    });
  });
});
