import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import type { Attachment } from "../../../src/delivery/proof/attachment.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { attachment } from "../../support/fixtures/proofs.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { startRegistry, type TestRegistry } from "../../support/registries/docker-registry.ts";
import { index, type Listed, taggedList, withReferrersApi } from "../../support/registries/referrers.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import { error } from "../../support/registries/scripted-registry.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const signer = fileSigner(newKey(), "");
const PLAIN = { legacyTag: false };

describe("The proof of an image in a registry", () => {
  const oci = useScriptedOci({ auth: true });
  let image: Frozen;
  let proof: Attachment;
  beforeEach(async () => {
    image = await freezeImage(oci.store);
    proof = await attachment(signer, image.digest);
    await oci.open().publish(image, NAME, testRun());
  });
  const attach = async (options = PLAIN, registry: Registry = oci.open()) =>
    registry.attach?.(proof, [NAME], options, testRun(), image);
  const tag = () => image.digest.replace(":", "-");
  const manifestOf = (digest: string) => {
    const found = oci.server.manifests.get(`acme/a:${digest}`);
    assert.ok(found, digest);
    return JSON.parse(found.bytes.toString());
  };
  const listed = () => {
    const list = taggedList(oci.server, "acme/a", image.digest);
    assert.ok(list);
    return list;
  };
  const writes = (path: string) =>
    oci.server.asked.filter((asked) => asked.method === "PUT" && asked.path.endsWith(path)).length;
  /** What another tool has put beside the image. */
  const putForeign = (name: string): Listed => {
    const bytes = Buffer.from(JSON.stringify({ name }));
    const digest = `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}`;
    oci.server.manifests.set(`acme/a:${digest}`, { type: "application/vnd.oci.image.manifest.v1+json", bytes });
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    return { mediaType, digest, size: bytes.length, artifactType: "text/x-other", annotations: { by: name } };
  };
  const putList = (...manifests: Listed[]) => {
    const bytes = Buffer.from(JSON.stringify({ ...index(manifests), annotations: { kept: "yes" } }));
    oci.server.manifests.set(`acme/a:${tag()}`, { type: "application/vnd.oci.image.index.v1+json", bytes });
  };

  describe("that lists referrers by its API", () => {
    beforeEach(() => withReferrersApi(oci.server));

    it("is put as referrers, and no tag is written", async () => {
      assert.equal(await attach(), "referrers");
      assert.equal(taggedList(oci.server, "acme/a", image.digest), null);
    });

    it("is as cosign writes it: one bundle in one layer, an empty config, and annotations", async () => {
      await attach();
      const puts = oci.server.asked.filter(
        ({ method, path }) => method === "PUT" && path.includes("/manifests/sha256:"),
      );
      const manifests = puts.map(({ body }) => JSON.parse(body.toString())).filter(({ subject }) => subject);
      assert.equal(manifests.length, 2);
      for (const [at, manifest] of manifests.entries()) {
        const { predicateType, bundle } = proof.statements[at] ?? { bundle: "" };
        assert.equal(manifest.artifactType, BUNDLE);
        assert.equal(manifest.config.digest, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert.equal(manifest.subject.digest, image.digest);
        assert.equal(manifest.annotations["dev.sigstore.bundle.predicateType"], predicateType);
        assert.equal(manifest.layers.length, 1);
        assert.equal(oci.server.blobs.get(`acme/a@${manifest.layers[0].digest}`)?.toString(), bundle);
      }
    });

    it("is the same to the digest at the next try", async () => {
      await attach();
      const before = [...oci.server.manifests.keys()].toSorted();
      await attach();
      assert.deepEqual([...oci.server.manifests.keys()].toSorted(), before);
    });

    it("is listed under the tag too if the API does not show what it took", async () => {
      const honest = oci.server.quirk;
      const empty = JSON.stringify(index([]));
      oci.server.quirk = (asked, act) =>
        asked.path.includes("/referrers/") ? { status: 200, body: empty } : honest(asked, act);
      assert.match((await attach()) ?? "", /listed under sha256-/);
      assert.equal(listed().length, 2);
    });
  });

  describe("without that API", () => {
    it("is listed under the tag of the specification, with type and annotations", async () => {
      assert.equal(await attach(), `referrers, listed under ${tag()}`);
      for (const [at, entry] of listed().entries()) {
        assert.equal(entry.artifactType, BUNDLE);
        assert.deepEqual(entry.annotations, manifestOf(entry.digest).annotations);
        assert.equal(entry.annotations?.["dev.sigstore.bundle.predicateType"], proof.statements[at]?.predicateType);
      }
    });

    it("keeps every entry and every other field that others have written", async () => {
      const foreign = putForeign("other");
      putList(foreign);
      await attach();
      assert.deepEqual(listed()[0], foreign);
      assert.equal(listed().length, 3);
      assert.deepEqual(manifestOf(tag()).annotations, { kept: "yes" });
    });

    it("is not written again where all of it stands", async () => {
      await attach();
      await attach();
      assert.equal(writes(tag()), 1);
    });

    it("is written again if another writer's list takes its place", async () => {
      const foreign = putForeign("other");
      putList(foreign);
      let reads = 0;
      oci.server.quirk = (asked, act) => {
        const isRead = asked.method === "GET" && asked.path.endsWith(tag());
        reads += isRead ? 1 : 0;
        // After our write, another writer who had read before us writes its own list.
        if (isRead && reads === 2) putList(foreign);
        return act();
      };
      await attach();
      assert.deepEqual(listed().length, 3);
      assert.equal(writes(tag()), 2);
    });

    it("puts back the entry of another tool that a writer has lost meanwhile", async () => {
      const foreign = putForeign("other");
      putList(foreign);
      let reads = 0;
      oci.server.quirk = (asked, act) => {
        const isRead = asked.method === "GET" && asked.path.endsWith(tag());
        reads += isRead ? 1 : 0;
        if (isRead && reads === 2) putList();
        return act();
      };
      await attach();
      const digests = listed().map(({ digest }) => digest);
      assert.ok(digests.includes(foreign.digest) && digests.length === 3, `${digests}`);
    });

    it("drops an entry whose manifest is gone, and no other, if the registry refuses the list", async () => {
      const [kept, gone] = [putForeign("kept"), putForeign("gone")];
      putList(kept, gone);
      oci.server.manifests.delete(`acme/a:${gone.digest}`);
      await attach();
      const digests = listed().map(({ digest }) => digest);
      assert.ok(digests.includes(kept.digest) && !digests.includes(gone.digest) && digests.length === 3);
    });

    it("is tried again later if other writers are faster each time (proof-index-changed)", async () => {
      oci.server.quirk = (asked, act) =>
        asked.method === "PUT" && asked.path.endsWith(tag()) ? error(412, "PRECONDITION_FAILED") : act();
      await assert.rejects(attach(), { name: "TransientError", code: "proof-index-changed" });
    });

    it("reads the list again if another writer was faster", async () => {
      let refusals = 0;
      oci.server.quirk = (asked, act) => {
        const isWrite = asked.method === "PUT" && asked.path.endsWith(tag());
        if (isWrite && refusals++ === 0) return error(412, "PRECONDITION_FAILED");
        return act();
      };
      await attach();
      assert.equal(listed().length, 2);
    });

    it("is tried again if the registry does not show the list that it took (proof-not-shown)", async () => {
      oci.server.quirk = (asked, act) =>
        asked.method === "GET" && asked.path.endsWith(tag()) ? error(404, "MANIFEST_UNKNOWN") : act();
      await assert.rejects(attach(), { name: "TransientError", code: "proof-not-shown" });
    });

    it("is refused where the tag holds something else (proof-tag-taken)", async () => {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
      oci.server.manifests.set(`acme/a:${tag()}`, { type: "application/vnd.oci.image.manifest.v1+json", bytes });
      await assert.rejects(attach(), { name: "Refused", code: "proof-tag-taken" });
    });

    for (const answer of [400, 405, 501]) {
      it(`takes ${answer} from the API for a registry without it`, async () => {
        oci.server.quirk = (asked, act) => (asked.path.includes("/referrers/") ? error(answer, "UNSUPPORTED") : act());
        assert.match((await attach()) ?? "", /listed under/);
      });
    }

    it("takes a web page from the API for a registry without it", async () => {
      oci.server.quirk = (asked, act) =>
        asked.path.includes("/referrers/") ? { status: 200, body: "<html></html>" } : act();
      assert.match((await attach()) ?? "", /listed under/);
    });
  });

  describe("for verifiers that know no referrers", () => {
    const legacy = () => `${tag()}.att`;

    it("is one manifest with an envelope for each statement, written once", async () => {
      await attach({ legacyTag: true });
      await attach({ legacyTag: true });
      assert.equal(writes(legacy()), 1);
      const { layers, config } = manifestOf(legacy());
      assert.deepEqual(
        layers.map(({ mediaType, annotations }: Listed) => [mediaType, annotations]),
        proof.statements.map(({ predicateType }) => [
          "application/vnd.dsse.envelope.v1+json",
          { "dev.cosignproject.cosign/signature": "", predicateType },
        ]),
      );
      const { rootfs } = JSON.parse(oci.server.blobs.get(`acme/a@${config.digest}`)?.toString() ?? "");
      assert.deepEqual(
        rootfs.diff_ids,
        layers.map(({ digest }: Listed) => digest),
      );
    });

    it("leaves what another tool has written there", async () => {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [], by: "cosign" }));
      oci.server.manifests.set(`acme/a:${legacy()}`, { type: "application/vnd.oci.image.manifest.v1+json", bytes });
      assert.match((await attach({ legacyTag: true })) ?? "", /another tool's/);
      assert.equal(manifestOf(legacy()).by, "cosign");
    });
  });
});

describe("The proof of an image in the real docker-registry", () => {
  const oci = useScriptedOci();
  let registry: TestRegistry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  it("is there for skopeo: list, referrer and bundle, each with the digest that it says", async () => {
    const image = await freezeImage(oci.store);
    const proof = await attachment(signer, image.digest);
    const port = ociRegistry("local", { url: registry.url }, { store: oci.store });
    await port.publish(image, NAME, testRun());
    assert.match((await port.attach(proof, [NAME], PLAIN, testRun())) ?? "", /listed under/);
    const raw = async (reference: string) => {
      const from = `docker://${registry.host}/acme/a${reference}`;
      const { stdout } = await promisify(execFile)("skopeo", ["inspect", "--raw", "--tls-verify=false", from]);
      return JSON.parse(stdout);
    };
    const { manifests } = await raw(`:${image.digest.replace(":", "-")}`);
    assert.equal(manifests.length, 2);
    for (const [at, { digest }] of manifests.entries()) {
      const { layers, subject } = await raw(`@${digest}`);
      assert.equal(subject.digest, image.digest);
      const bundle = await fetch(`${registry.url}/v2/acme/a/blobs/${layers[0].digest}`).then((got) => got.text());
      assert.equal(bundle, proof.statements[at]?.bundle);
    }
  });

  it("verifies by openssl as it is fetched", async () => {
    const name = { ...NAME, tag: "2.0.0" };
    const image = await freezeImage(oci.store);
    const proof = await attachment(signer, image.digest);
    const port = ociRegistry("local", { url: registry.url }, { store: oci.store });
    await port.publish(image, name, testRun());
    await port.attach(proof, [name], PLAIN, testRun());
    const dir = await mkdtemp(join(tmpdir(), "dd-"));
    try {
      const list = taggedUrl(registry, image.digest);
      const [first] = ((await fetch(list, { headers: ACCEPT }).then((got) => got.json())) as { manifests: Listed[] })
        .manifests;
      const manifest = (await fetch(`${registry.url}/v2/acme/a/manifests/${first?.digest}`, { headers: ACCEPT }).then(
        (got) => got.json(),
      )) as { layers: Listed[] };
      const bundle = await fetch(`${registry.url}/v2/acme/a/blobs/${manifest.layers[0]?.digest}`);
      await writeFile(join(dir, "bundle.json"), await bundle.text());
      await writeFile(join(dir, "key.pub"), signer.publicKey);
      const script = new URL("../../unit/proof/verify-with-openssl.sh", import.meta.url).pathname;
      const { stdout } = await promisify(execFile)("sh", [script, "bundle.json", "key.pub"], { cwd: dir });
      assert.equal(stdout, "Verified OK\n");
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

const ACCEPT = {
  Accept: "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
};

function taggedUrl({ url }: TestRegistry, digest: string): string {
  return `${url}/v2/acme/a/manifests/${digest.replace(":", "-")}`;
}
