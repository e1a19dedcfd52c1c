import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { proofChecks } from "../../../src/cli/doctor/proof.ts";
import { listKeys, revoke } from "../../../src/cli/keys.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { readPublishedKeys } from "../../../src/delivery/proof/key-list.ts";
import { oweProof } from "../../../src/ledger/proofs.ts";
import { findReleases } from "../../../src/ledger/releases.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { verifyBundle } from "../../../src/proof/verify-bundle.ts";
import { signProof } from "../../../workers/proof/sign.ts";
import { REPO, useLedger } from "../../support/databases/ledgers.ts";
import { facts } from "../../support/fixtures/proofs.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { testSigner, unitStation } from "../../support/fixtures/station.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { startApi, type TestApi } from "../api/support.ts";

const FILE = { name: "a.tgz", digest: `sha256:${"a".repeat(64)}`, size: 1 };
const FILES = frozenFiles([FILE, { ...FILE, name: "b.tgz", digest: `sha256:${"b".repeat(64)}` }]);

interface Proof {
  state: string;
  because: string;
  bundles: { predicateType: string; bundle: unknown }[];
  places: { registry: string; state: string }[];
}

describe("The API of proofs", () => {
  const store = useLedger();
  const signer = fileSigner(newKey(), "");
  let api: TestApi;
  beforeEach(async () => {
    await released(store.ledger, "client", "npm", FILES, ["files"]);
    api = await startApi(store.ledger);
  });
  afterEach(() => api.close());

  const sign = async () => {
    const [release] = await findReleases(store.ledger, "client", "1.0.0", REPO);
    assert.ok(release);
    await store.ledger.transaction((tx) => oweProof(tx, release, facts({ content: FILES })));
    await signProof(unitStation({ ledger: store.ledger, signer: testSigner(signer) }), release.id);
  };
  const get = async <T>(path: string) => JSON.parse((await api.get(path)).text) as T;

  it("says of a release that is older than proofs that it has none", async () => {
    const { state, because } = await get<Proof>("/api/v1/releases/client/1.0.0/proof");
    assert.deepEqual([state, because], ["none", "the release was made before this server made proofs"]);
    assert.equal((await get<{ proof: string }>("/api/v1/releases/client/1.0.0")).proof, "none");
  });

  it("gives the same statements by version, by the release's digest and by that of each file", async () => {
    await sign();
    const { bundles, places, state } = await get<Proof>("/api/v1/releases/client/1.0.0/proof");
    assert.deepEqual([bundles.length, state, places[0]?.state], [2, "owed", "owed"]);
    for (const digest of [FILES.digest, ...(FILES.files ?? []).map((file) => file.digest)]) {
      const { releases } = await get<{ releases: Proof[] }>(`/api/v1/proof/${digest}`);
      assert.deepEqual(
        releases.map((each) => each.bundles),
        [bundles],
      );
    }
    const { items } = await get<{ items: { proof: string }[] }>("/api/v1/releases");
    assert.deepEqual(
      items.map(({ proof }) => proof),
      ["owed"],
    );
  });

  it("has no proof of unknown bytes, and refuses what is no digest", async () => {
    assert.equal((await api.get(`/api/v1/proof/sha256:${"0".repeat(64)}`)).status, 404);
    assert.equal((await api.get("/api/v1/proof/sha256:x")).status, 400);
  });

  it("lists keys by which its statements verify, for everybody", async () => {
    await sign();
    const published = readPublishedKeys(JSON.parse((await api.send("GET", "/.well-known/deliverd/keys.json")).text));
    const [key] = published?.keys ?? [];
    assert.ok(key);
    const { bundles } = await get<Proof>("/api/v1/releases/client/1.0.0/proof");
    for (const { bundle } of bundles)
      assert.equal((await verifyBundle(JSON.stringify(bundle), new Map([[key.keyId, key]]))).keyId, signer.keyId);
  });

  it("says at the builder's id which level it claims, and which it does not", async () => {
    const { text, status } = await api.send("GET", "/.well-known/deliverd/builder/v1");
    assert.equal(status, 200);
    const { id, slsa } = JSON.parse(text);
    assert.equal(id, "https://deliverd.example.com/.well-known/deliverd/builder/v1");
    assert.equal(slsa.level, 2);
  });
});

describe("The key of proofs, on the server's machine", () => {
  let dir: TempDir;
  let path: string;
  beforeEach(async () => {
    dir = await tempDir();
    path = join(dir.path, "deliverd.yml");
  });
  afterEach(() => dir.remove());

  const configure = (proof = "") =>
    writeFile(
      path,
      `hosts: { github: { type: github, webhookSecret: whsec_x } }\nrepos: [acme/*]\ndataDir: ${dir.path}/data\n${proof}`,
    );
  const inPem = (pem: string) => JSON.stringify(pem);
  const doctor = async () => {
    const config = loadServerConfig({ path, env: {} });
    const [check] = proofChecks(config, () => {});
    const found = await check?.run();
    assert.ok(typeof found === "object" && !Array.isArray(found));
    return found;
  };

  it("is listed by deliverd keys; replaced by a new one; and revoked then", async () => {
    const [first, second] = [newKey(), newKey()];
    await configure(`proof: { key: ${inPem(first)} }\n`);
    const [own] = await listKeys(path);
    await configure(`proof: { key: ${inPem(second)}, previousKey: ${inPem(first)} }\n`);
    const states = async () => (await listKeys(path)).map((key) => [key.validUntil !== null, key.revokedAt !== null]);
    assert.deepEqual(await states(), [
      [true, false],
      [false, false],
    ]);
    await revoke(path, own?.keyId ?? "");
    assert.deepEqual(await states(), [
      [true, true],
      [false, false],
    ]);
    const found = await doctor();
    assert.deepEqual([found.state, /0 retired and 1 revoked/.test(found.text)], ["ok", true]);
  });

  it("is not made by doctor", async () => {
    await configure();
    assert.equal((await doctor()).text, "a key is made at the first start");
  });

  it("fails in doctor where it is retired", async () => {
    const [first, second] = [newKey(), newKey()];
    await configure(`proof: { key: ${inPem(first)} }\n`);
    await listKeys(path);
    await configure(`proof: { key: ${inPem(second)}, previousKey: ${inPem(first)} }\n`);
    await listKeys(path);
    await configure(`proof: { key: ${inPem(first)} }\n`);
    const found = await doctor();
    assert.deepEqual([found.state, /was retired: proofs are owed/.test(found.text)], ["fail", true]);
  });
});
