import assert from "node:assert/strict";
import { createHash, createPublicKey } from "node:crypto";
import { readdir } from "node:fs/promises";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Attachment } from "../../../src/delivery/proof/attachment.ts";
import { keyIdOf } from "../../../src/delivery/proof/dsse.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog } from "../../../src/ledger/logs.ts";
import { dueOutbox } from "../../../src/ledger/outbox-leases.ts";
import { oweProofAt } from "../../../src/ledger/proof-places.ts";
import { oweProof, proofOf } from "../../../src/ledger/proofs.ts";
import { findReleases, type Release } from "../../../src/ledger/releases.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import { verifyBundle } from "../../../src/proof/verify-bundle.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import { announce } from "../../../workers/announce/announcer.ts";
import { attachProof } from "../../../workers/proof/attach.ts";
import { signProof } from "../../../workers/proof/sign.ts";
import type { Station } from "../../../workers/station.ts";
import { REPO, useLedger } from "../../support/databases/ledgers.ts";
import { facts } from "../../support/fixtures/proofs.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { testSigner, unitStation } from "../../support/fixtures/station.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

const FILES = frozenFiles([{ name: "a.tgz", digest: `sha256:${"a".repeat(64)}`, size: 1 }]);
const signer = fileSigner(newKey(), "");

describe("A release's proof", () => {
  const store = useLedger();
  let dir: TempDir;
  let release: Release;
  /** What the registry was handed, and what it does then. */
  let attached: Attachment[];
  let act: () => Promise<string | null>;

  beforeEach(async () => {
    dir = await tempDir();
    const deliveryId = await released(store.ledger, "client", "npm", FILES, ["files"]);
    await appendLog(store.ledger, deliveryId, "built\n");
    [release] = (await findReleases(store.ledger, "client", "1.0.0", REPO)) as [Release];
    attached = [];
    act = async () => "there";
  });
  afterEach(() => dir.remove());

  const registry: Partial<Registry> = {
    attach: async (proof) => {
      const how = await act();
      attached.push(proof);
      return how;
    },
  };
  type Parts = Partial<Pick<Station, "config" | "owner" | "signer">>;
  const station = (more: Parts = {}, files: Partial<Registry> = registry): Station =>
    unitStation({
      ...{ ledger: store.ledger, signer: testSigner(signer), registries: { files }, tmp: dir.path },
      config: {
        registries: { files: { type: "http", url: "https://files.example.com", proof: "referrers" } },
      } as never,
      ...more,
    });
  const owe = (ledger: Ledger = store.ledger) =>
    ledger.transaction((tx) => oweProof(tx, release, facts({ artifact: "client", kind: "npm", content: FILES })));
  const proof = async () => {
    const found = await proofOf(store.ledger, release.id);
    assert.ok(found);
    return found;
  };
  const keys = new Map([[signer.keyId, { publicKey: signer.publicKey, validUntil: null, revokedAt: null }]]);

  /** What is signed is due in other lanes then: in a process, a job says so. */
  const settle = async (at: Station) => {
    await announce(at);
    await announce(at);
  };

  it("is owed with the release, signed by the outbox, and put where the release is", async () => {
    await owe();
    assert.deepEqual((await proof()).statements, []);
    await settle(station());
    const { statements, places, keyId } = await proof();
    assert.equal(keyId, keyIdOf(createPublicKey(signer.publicKey)));
    assert.equal(statements.length, 2);
    for (const { bundle } of statements) assert.equal((await verifyBundle(bundle, keys)).keyId, signer.keyId);
    assert.deepEqual(
      places.map(({ registry: key, repository, state, because }) => [key, repository, state, because]),
      [["files", "acme/api/client", "stands", "there"]],
    );
    assert.deepEqual(attached[0]?.statements, statements);
  });

  it("names the log as far as it went", async () => {
    await owe();
    await settle(station());
    const provenance = (await proof()).statements.find(({ predicateType }) => predicateType.includes("provenance"));
    const { payload } = JSON.parse(provenance?.bundle ?? "").dsseEnvelope;
    const { byproducts } = JSON.parse(Buffer.from(payload, "base64").toString()).predicate.runDetails;
    const sha256 = createHash("sha256").update("built\n").digest("hex");
    assert.deepEqual([byproducts[0].digest, byproducts[0].annotations], [{ sha256 }, { bytes: 6 }]);
  });

  it("is signed once, whoever else signs at the same time", async () => {
    await owe();
    const others = Array.from({ length: 5 }, () => signProof(station(), release.id));
    await Promise.all(others);
    const first = (await proof()).statements;
    await signProof(station({ signer: testSigner() }), release.id);
    assert.deepEqual((await proof()).statements, first);
  });

  it("is owed once, also where the release is recorded again", async () => {
    await owe();
    await settle(station());
    const before = await proof();
    await owe();
    await settle(station());
    assert.deepEqual((await proof()).statements, before.statements);
  });

  it("waits for a signer that does not answer, and the release says why", async () => {
    await owe();
    const down = { holder: "x", previous: null, open: async () => Promise.reject(new TransientError("kms", "no KMS")) };
    await settle(station({ signer: down }));
    const { signedAt, because } = await proof();
    assert.deepEqual([signedAt, because], [null, "no KMS"]);
  });

  it("waits for a registry that does not answer, and no other place waits with it", async () => {
    await owe();
    act = async () => Promise.reject(new TransientError("registry-unavailable", "down"));
    await settle(station());
    assert.deepEqual(
      (await proof()).places.map(({ state, because }) => [state, because]),
      [["owed", "down"]],
    );
  });

  it("shows that a registry will never take it, and is not sent again", async () => {
    await owe();
    act = async () => Promise.reject(new Refused("registry-refused", "no artifacts of this type"));
    await settle(station());
    assert.deepEqual(
      (await proof()).places.map(({ state, because }) => [state, because]),
      [["refused", "no artifacts of this type"]],
    );
    assert.deepEqual(await dueOutbox(store.ledger, 10), []);
  });

  it("stays with the server where the registry has no place for it", async () => {
    await owe();
    await settle(station({}, {}));
    assert.deepEqual(
      (await proof()).places.map(({ state }) => state),
      ["apart"],
    );
  });

  it("is put nowhere where the configuration says none", async () => {
    await owe();
    const config = { registries: { files: { type: "http", url: "https://x.example.com", proof: "none" } } } as never;
    await settle(station({ config }));
    assert.deepEqual(attached, []);
    assert.equal((await proof()).places[0]?.because, "registries.files.proof is none");
  });

  it("is looked at again some seconds later, since another writer may have replaced the list", async () => {
    await owe();
    await settle(station());
    const rows = await store.ledger.db.selectFrom("outbox").selectAll().where("kind", "=", "proof").execute();
    const again = rows.filter(({ payload }) => JSON.parse(payload).again === true);
    assert.equal(again.length, 1);
    assert.ok(
      again.every(({ retryAt, createdAt, state }) => state === "unsent" && (retryAt ?? 0) - createdAt >= 3_900),
    );
  });

  it("has one writer for each content in a place: another one waits (proof-busy)", async () => {
    await owe();
    let enter = () => {};
    let leave = () => {};
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const left = new Promise<void>((resolve) => (leave = resolve));
    let inside = 0;
    let most = 0;
    act = async () => {
      most = Math.max(most, ++inside);
      enter();
      await left;
      inside--;
      return "there";
    };
    await signProof(station(), release.id);
    const running = announce(station());
    await entered;
    const task = { step: "attach", releaseId: release.id, registry: "files", again: false } as const;
    const second = attachProof(
      station({ owner: "tests/2" }),
      { ...task, repository: "acme/api/client" },
      new AbortController().signal,
    );
    await assert.rejects(second, { name: "TransientError", code: "proof-busy" });
    leave();
    await running;
    assert.equal(most, 1);
  });

  it("goes to a place where the release gets a name after it was signed, and beside each name of a file", async () => {
    await owe();
    const of = { repoId: REPO, artifact: "client", digest: FILES.digest };
    const at = { registry: "files", repository: "acme/api/client", tag: "2.0.0" };
    await oweProofAt(store.ledger, of, at);
    assert.deepEqual((await proof()).places, [], "nothing is owed before it is signed");
    await settle(station());
    const before = attached.length;
    await oweProofAt(store.ledger, of, at);
    await oweProofAt(store.ledger, of, { ...at, repository: "acme/api/other" });
    await oweProofAt(store.ledger, { ...of, digest: `sha256:${"f".repeat(64)}` }, { ...at, repository: "x" });
    await settle(station());
    assert.equal(attached.length, before + 2);
    assert.deepEqual(
      (await proof()).places.map(({ repository, state }) => [repository, state]),
      [
        ["acme/api/client", "stands"],
        ["acme/api/other", "stands"],
      ],
    );
  });

  it("leaves no file behind", async () => {
    await owe();
    await settle(station());
    assert.deepEqual(await readdir(dir.path), []);
  });
});
