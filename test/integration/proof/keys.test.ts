import assert from "node:assert/strict";
import { followKeyLists, type KeyList } from "../../../src/delivery/proof/key-list.ts";
import { keyLists, proofKeys } from "../../../src/ledger/proof-keys.ts";
import { fileSigner, newKey } from "../../../src/proof/file-signer.ts";
import type { Signer, SignerSource } from "../../../src/proof/signer.ts";
import { revokeKey, signerInUse } from "../../../workers/proof/keys.ts";
import { eachLedger } from "../../support/databases/ledgers.ts";

const source = (signer: Signer, previous: Signer | null = null, holder = "proof.key"): SignerSource => ({
  ...{ holder, previous, open: async () => signer },
});
const key = () => fileSigner(newKey(), "");
const states = ({ keys }: KeyList) =>
  keys.map(({ validUntil, revokedAt }) => (revokedAt !== null ? "revoked" : validUntil !== null ? "retired" : "signs"));

describe("The keys of proofs", () => {
  eachLedger((_name, open) => {
    it("are listed when a process first uses one, once", async () => {
      const ledger = await open();
      const first = key();
      for (let times = 0; times < 3; times++) assert.equal(await signerInUse(ledger, source(first)), first);
      assert.deepEqual(
        (await proofKeys(ledger)).map(({ keyId, validUntil }) => [keyId, validUntil]),
        [[first.keyId, null]],
      );
      assert.equal((await keyLists(ledger)).length, 1);
    });

    it("are listed once by processes that start at the same time", async () => {
      const ledger = await open();
      const first = key();
      await Promise.all(Array.from({ length: 6 }, () => signerInUse(ledger, source(first))));
      assert.equal((await keyLists(ledger)).length, 1);
    });

    it("are followed from the first to the newest by whoever trusts the first", async () => {
      const ledger = await open();
      const [first, second, third, stranger] = [key(), key(), key(), key()];
      await signerInUse(ledger, source(first));
      await signerInUse(ledger, source(second, first));
      await signerInUse(ledger, source(third, second));
      const history = await keyLists(ledger);
      const followed = followKeyLists([first.publicKey], history);
      assert.ok(followed);
      assert.deepEqual(states(followed), ["retired", "retired", "signs"]);
      assert.equal(followKeyLists([stranger.publicKey], history), null);
    });

    it("are not followed over a new key that the old one did not sign", async () => {
      const ledger = await open();
      const [first, second] = [key(), key()];
      await signerInUse(ledger, source(first));
      await signerInUse(ledger, source(second));
      const followed = followKeyLists([first.publicKey], await keyLists(ledger));
      assert.deepEqual(followed && states(followed), ["signs"], "the old list is the last one that is believed");
    });

    it("retire by holder: the key of another data directory goes on signing", async () => {
      const ledger = await open();
      const [first, second] = [key(), key()];
      await signerInUse(ledger, source(first, null, "data directory a"));
      await signerInUse(ledger, source(second, null, "data directory b"));
      assert.equal((await proofKeys(ledger)).filter(({ validUntil }) => validUntil === null).length, 2);
    });

    it("do not sign once they are retired (proof-key-retired)", async () => {
      const ledger = await open();
      const [first, second] = [key(), key()];
      await signerInUse(ledger, source(first));
      await signerInUse(ledger, source(second, first));
      const refused = { name: "TransientError", code: "proof-key-retired" };
      await assert.rejects(signerInUse(ledger, source(first)), refused);
    });

    it("are revoked by a list that the present key signs, and a revoked key proves no list any more", async () => {
      const ledger = await open();
      const [first, second, third] = [key(), key(), key()];
      await signerInUse(ledger, source(first));
      await signerInUse(ledger, source(second, first));
      await revokeKey(ledger, source(second), first.keyId);
      await revokeKey(ledger, source(second), first.keyId);
      const followed = followKeyLists([second.publicKey], await keyLists(ledger));
      assert.deepEqual(followed && states(followed), ["revoked", "signs"]);
      await signerInUse(ledger, source(third, first));
      const after = followKeyLists([second.publicKey], await keyLists(ledger));
      assert.deepEqual(after && states(after), ["revoked", "signs"], "the thief of the first key adds none");
    });

    it("are not revoked while they sign, nor if they are unknown (proof-key-in-use, proof-key-unknown)", async () => {
      const ledger = await open();
      const first = key();
      await signerInUse(ledger, source(first));
      const revoking = (id: string) => revokeKey(ledger, source(first), id);
      await assert.rejects(revoking(first.keyId), { name: "ConfigError", code: "proof-key-in-use" });
      await assert.rejects(revoking("x="), { name: "ConfigError", code: "proof-key-unknown" });
    });
  });
});
