import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type VerifyOrder, verify } from "../../../src/cli/verify/index.ts";
import type { ProofFacts } from "../../../src/delivery/proof/facts.ts";
import type { ProofPolicy } from "../../../src/delivery/proof/judge.ts";
import { provenanceOf } from "../../../src/delivery/proof/provenance.ts";
import { testResultOf } from "../../../src/delivery/proof/test-result.ts";
import { check, facts, SHA } from "../../support/fixtures/proofs.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { type Bundle, forger } from "./forge.ts";

const BYTES = "the bytes of a package\n";
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const NO_POLICY: ProofPolicy = {
  ...{ repo: null, branch: null, commit: null, builder: null, checks: [], app: null, maxAge: null },
};
const ours = forger();
const theirs = forger();

/** What a release of the package has: its two statements, signed by our key. */
interface Release {
  bytes: string;
  provenance: Bundle;
  tests: Bundle | null;
}

const content = (bytes = BYTES) => ({
  digest: digestOf(bytes),
  files: [{ name: "client.tgz", digest: digestOf(bytes), size: bytes.length }],
});
const about = (more: Partial<ProofFacts> = {}) =>
  facts({ artifact: "client", kind: "npm", content: content(), ...more });

function release(more: Partial<ProofFacts> = {}, by = ours): Release {
  const tests = testResultOf(about(more));
  return {
    bytes: BYTES,
    provenance: by.bundle(JSON.stringify(provenanceOf(about(more)))),
    tests: tests === null ? null : by.bundle(JSON.stringify(tests)),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a forger writes whatever it likes.
type Anything = any;
const payloadOf = (bundle: Bundle) => JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString());

/** The provenance with another content, signed by our own key: as if the signer itself were wrong. */
function resigned(change: (statement: Anything) => void): Release {
  const all = release();
  const statement = payloadOf(all.provenance);
  change(statement);
  return { ...all, provenance: ours.bundle(JSON.stringify(statement)) };
}

/** The provenance's text as signed, written otherwise. */
function rewritten(change: (text: string) => string): Release {
  const all = release();
  return { ...all, provenance: ours.bundle(change(JSON.stringify(payloadOf(all.provenance)))) };
}

/** The bundle changed after it was signed. */
function bent(change: (bundle: Anything) => void): Release {
  const all = release();
  change(all.provenance);
  return all;
}

const evidenceWith = (...checks: ReturnType<typeof check>[]) => {
  const { evidence } = facts();
  assert.ok(evidence);
  return { evidence: { ...evidence, checks } };
};
const flip = (base64: string) => {
  const bytes = Buffer.from(base64, "base64");
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes.toString("base64");
};

describe("deliverd verify of a file", () => {
  let dir: TempDir;
  beforeEach(async () => {
    dir = await tempDir();
    await writeFile(join(dir.path, "key.pub"), ours.publicKey);
  });
  afterEach(() => dir.remove());

  async function verified({ bytes, provenance, tests }: Release, policy: Partial<ProofPolicy> = {}, more = {}) {
    const file = join(dir.path, "client.tgz");
    await writeFile(file, bytes);
    const bundles = [provenance, ...(tests === null ? [] : [tests])];
    const paths = await Promise.all(
      bundles.map(async (bundle, at) => {
        const path = join(dir.path, `${at}.sigstore.json`);
        await writeFile(path, JSON.stringify(bundle));
        return path;
      }),
    );
    const order: VerifyOrder = {
      ...{ target: file, policy: { ...NO_POLICY, ...policy }, server: null },
      ...{ keys: [join(dir.path, "key.pub")], bundles: paths },
      ...more,
    };
    return verify(order);
  }

  const keyList = async (more: object) => {
    const key = {
      ...{ keyId: ours.keyId, algorithm: "ecdsa-p256-sha256", publicKey: ours.publicKey },
      ...{ validFrom: "2025-01-01T00:00:00.000Z", validUntil: null, revokedAt: null, ...more },
    };
    const path = join(dir.path, "keys.json");
    await writeFile(path, JSON.stringify({ keys: [key], history: [] }));
    return { keys: [path] };
  };

  type Row = [title: string, code: string, release: () => Release, policy?: Partial<ProofPolicy>];
  const rows: Row[] = [
    // The envelope.
    [
      "a byte of the statement is changed",
      "proof-signature",
      () => bent((b) => (b.dsseEnvelope.payload = flip(b.dsseEnvelope.payload))),
    ],
    [
      "the statement is that of another release",
      "proof-signature",
      () => bent((b) => (b.dsseEnvelope.payload = release({ version: "9.9.9" }).provenance.dsseEnvelope.payload)),
    ],
    [
      "a byte of the signature is changed",
      "proof-signature",
      () => bent((b) => (b.dsseEnvelope.signatures[0].sig = flip(b.dsseEnvelope.signatures[0].sig))),
    ],
    [
      "the signature is that of another statement",
      "proof-signature",
      () => bent((b) => (b.dsseEnvelope.signatures = release().tests?.dsseEnvelope.signatures)),
    ],
    ["the signature is empty", "proof-unreadable", () => bent((b) => (b.dsseEnvelope.signatures[0].sig = ""))],
    [
      "the type of the payload is changed",
      "proof-payload-type",
      () => bent((b) => (b.dsseEnvelope.payloadType = "text/plain")),
    ],
    [
      "the payload is signed as another type",
      "proof-payload-type",
      () => ({ ...release(), provenance: ours.bundle(JSON.stringify(provenanceOf(about())), "application/json") }),
    ],
    [
      "there are two signatures",
      "proof-signatures",
      () => bent((b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0])),
    ],
    ["there is no signature", "proof-signatures", () => bent((b) => (b.dsseEnvelope.signatures = []))],
    [
      "the envelope names another key than the bundle",
      "proof-key-hint",
      () => bent((b) => (b.dsseEnvelope.signatures[0].keyid = theirs.keyId)),
    ],
    [
      "the bundle names another key than the envelope",
      "proof-key-hint",
      () => bent((b) => (b.verificationMaterial.publicKey.hint = theirs.keyId)),
    ],
    ["the bundle names no key", "proof-key-hint", () => bent((b) => (b.verificationMaterial.publicKey = {}))],
    ["a stranger's key has signed all of it", "proof-key-untrusted", () => release({}, theirs)],
    [
      "a stranger's signature claims to be by our key",
      "proof-signature",
      () =>
        bent((b) => {
          b.dsseEnvelope.signatures[0].sig = theirs.bundle(
            JSON.stringify(payloadOf(b)),
          ).dsseEnvelope.signatures[0]?.sig;
        }),
    ],
    [
      "the bundle is of an older version",
      "proof-unreadable",
      () => bent((b) => (b.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1")),
    ],
    [
      "the bundle signs a file and no statement",
      "proof-unreadable",
      () =>
        bent((b) => {
          delete b.dsseEnvelope;
          b.messageSignature = { messageDigest: { algorithm: "SHA2_256", digest: "AAAA" }, signature: "AAAA" };
        }),
    ],
    ["the bundle is cut off", "proof-unreadable", () => bent((b) => delete b.verificationMaterial)],
    // The statement, signed by a trusted key.
    [
      "the statement has one key twice",
      "proof-statement",
      () => rewritten((text) => text.replace('"subject":', '"subject":[],"subject":')),
    ],
    ["the statement has bytes after its end", "proof-statement", () => rewritten((text) => `${text} {}`)],
    [
      "the statement is written in another form",
      "proof-statement",
      () => rewritten((text) => JSON.stringify(JSON.parse(text), null, 1)),
    ],
    ["the statement is no JSON", "proof-statement", () => rewritten(() => "provenance: all of it")],
    [
      "the statement is of another type",
      "proof-statement",
      () => resigned((s) => (s._type = "https://in-toto.io/Statement/v0.1")),
    ],
    [
      "a test result is called a provenance",
      "proof-statement",
      () => resigned((s) => (s.predicate = testResultOf(about())?.predicate)),
    ],
    [
      "the provenance names no commit",
      "proof-statement",
      () => resigned((s) => (s.predicate.buildDefinition.resolvedDependencies = [])),
    ],
    [
      "there is only the test result",
      "proof-missing",
      () => ({ ...release(), provenance: release().tests ?? release().provenance }),
    ],
    // What it is about.
    [
      "a byte of the file is changed",
      "proof-subject",
      () => ({ ...release(), bytes: BYTES.replace("bytes", "Bytes") }),
    ],
    ["the file is longer than the released one", "proof-subject", () => ({ ...release(), bytes: `${BYTES}\n` })],
    ["the file is empty", "proof-subject", () => ({ ...release(), bytes: "" })],
    [
      "the provenance is about another artifact of the commit",
      "proof-subject",
      () => release({ artifact: "other", content: content("other") }),
    ],
    [
      "the provenance is about the commit alone",
      "proof-subject",
      () => resigned((s) => (s.subject = [{ name: "commit", digest: { gitCommit: SHA } }])),
    ],
    [
      "the provenance names the right digest under another algorithm",
      "proof-subject",
      () => resigned((s) => (s.subject[0].digest = { sha512: s.subject[0].digest.sha256 })),
    ],
    // What the verifier demands.
    [
      "another builder made it",
      "proof-builder",
      release,
      { builder: "https://other.example.com/.well-known/deliverd/builder/v1" },
    ],
    ["it comes from another repo", "proof-repo", release, { repo: "acme/web" }],
    [
      "it comes from a repo whose owner ends alike",
      "proof-repo",
      () => release({ source: { ...facts().source, repository: "https://github.com/evil-acme/api" } }),
      { repo: "acme/api" },
    ],
    [
      "it comes from a repo of this name on another host",
      "proof-repo",
      release,
      { repo: "https://gitlab.com/acme/api" },
    ],
    ["it was built for another branch", "proof-branch", release, { branch: "release/*" }],
    [
      "it was built for a tag with the name of the branch",
      "proof-branch",
      () => release({ source: { ...facts().source, ref: "refs/tags/main" } }),
      { branch: "main" },
    ],
    ["it comes from another commit", "proof-commit", release, { commit: "fffffff" }],
    ["it is too old", "proof-too-old", release, { maxAge: 1_000 }],
    // The evidence of CI.
    ["the evidence of CI is taken away", "proof-evidence-missing", () => ({ ...release(), tests: null })],
    [
      "the evidence of CI is changed",
      "proof-signature",
      () => {
        const all = release();
        if (all.tests !== null) all.tests.dsseEnvelope.payload = flip(all.tests.dsseEnvelope.payload);
        return all;
      },
    ],
    [
      "the evidence is that of another commit",
      "proof-evidence-differs",
      () => {
        const source = { ...facts().source, sha: "c".repeat(40) };
        return { ...release(), tests: release({ source }).tests };
      },
    ],
    [
      "the evidence says that CI has failed",
      "proof-check-failed",
      () => {
        const failed = { ...testResultOf(about()) } as Anything;
        failed.predicate = { ...failed.predicate, result: "FAILED" };
        return { ...release(), tests: ours.bundle(JSON.stringify(failed)) };
      },
    ],
    ["a check that is demanded did not run", "proof-check-missing", release, { checks: ["e2e"] }],
    [
      "a check that is demanded was skipped",
      "proof-check-failed",
      () => release(evidenceWith(check({ conclusion: "skipped" }))),
      { checks: ["test"] },
    ],
    [
      "a check that is demanded failed, and may fail",
      "proof-check-failed",
      () => release(evidenceWith(check({ conclusion: "failed", mayFail: true }))),
      { checks: ["test"] },
    ],
    ["a check that is demanded is of another app", "proof-check-app", release, { checks: ["test"], app: "circleci" }],
    [
      "a check that is demanded is a status that anybody may write",
      "proof-check-app",
      () => release(evidenceWith(check({ app: null, source: "status" }))),
      { checks: ["test"], app: "github-actions" },
    ],
    [
      "a check is demanded where no CI was asked for",
      "proof-ci-none",
      () => {
        const { evidence } = evidenceWith();
        return release({ evidence: { ...evidence, gate: { ci: "none", required: [], apps: null } } });
      },
      { checks: ["test"] },
    ],
    [
      "a check is demanded of a release without evidence",
      "proof-evidence-missing",
      () => release({ evidence: null }),
      { checks: ["test"] },
    ],
  ];

  for (const [title, code, made, policy] of rows) {
    it(`fails where ${title} (${code})`, async () => {
      const { verified: holds, failures, proven } = await verified(made(), policy);
      assert.deepEqual([holds, proven, failures[0]?.code], [false, null, code]);
    });
  }

  it("fails where the key was revoked, whenever it signed (proof-key-revoked)", async () => {
    const { failures } = await verified(release(), {}, await keyList({ revokedAt: "2026-06-01T00:00:00.000Z" }));
    assert.equal(failures[0]?.code, "proof-key-revoked");
  });

  it("fails where a retired key signed a newer release (proof-key-expired)", async () => {
    const { failures } = await verified(release(), {}, await keyList({ validUntil: "2025-12-01T00:00:00.000Z" }));
    assert.equal(failures[0]?.code, "proof-key-expired");
  });

  it("holds where a key signed before it was retired", async () => {
    const { verified: holds } = await verified(
      release(),
      {},
      await keyList({ validUntil: "2026-02-01T00:00:00.000Z" }),
    );
    assert.equal(holds, true);
  });

  it("fails where evidence and provenance are by two trusted keys (proof-evidence-differs)", async () => {
    await writeFile(join(dir.path, "other.pub"), theirs.publicKey);
    const keys = [join(dir.path, "key.pub"), join(dir.path, "other.pub")];
    const { failures } = await verified({ ...release(), tests: release({}, theirs).tests }, {}, { keys });
    assert.equal(failures[0]?.code, "proof-evidence-differs");
  });

  const held: [title: string, policy: Partial<ProofPolicy>][] = [
    ["nothing is demanded", {}],
    ["the repo is given by its last part", { repo: "acme/api" }],
    ["the repo is given as it is cloned", { repo: "https://github.com/acme/api.git" }],
    ["the branch matches", { branch: "m*" }],
    ["the commit begins so", { commit: SHA.slice(0, 7) }],
    ["the checks have passed, by the app", { checks: ["test", "lint"], app: "github-actions" }],
    ["the builder is the one", { builder: "https://deliverd.example.com/.well-known/deliverd/builder/v1" }],
  ];
  for (const [title, policy] of held) {
    it(`holds where ${title}`, async () => {
      const { verified: holds, proven, failures } = await verified(release(), policy);
      assert.deepEqual([holds, failures, proven?.commit], [true, [], SHA]);
    });
  }

  it("holds for a file under another name, and finds its statements beside it", async () => {
    const { provenance, tests } = release();
    await verified(release());
    const file = join(dir.path, "renamed.bin");
    await rename(join(dir.path, "client.tgz"), file);
    const lines = [provenance, tests].map((each) => JSON.stringify(each?.dsseEnvelope)).join("\n");
    await writeFile(`${file}.intoto.jsonl`, `${lines}\n`);
    const order = { target: file, policy: NO_POLICY, server: null, keys: [join(dir.path, "key.pub")], bundles: [] };
    assert.equal((await verify(order)).verified, true);
  });

  it("holds beside statements of others, and says which it ignored", async () => {
    const strange = join(dir.path, "strange.json");
    await writeFile(strange, JSON.stringify(release({}, theirs).provenance));
    const { provenance, tests } = release();
    const own = join(dir.path, "own.jsonl");
    await writeFile(own, `${JSON.stringify(provenance)}\n${JSON.stringify(tests)}\n`);
    const { verified: holds, ignored } = await verified(release(), {}, { bundles: [strange, own] });
    assert.deepEqual([holds, ignored.map(({ code }) => code)], [true, ["proof-key-untrusted"]]);
  });
});
