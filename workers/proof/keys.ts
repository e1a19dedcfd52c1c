import { ConfigError, TransientError } from "../../src/delivery/errors.ts";
import { type Envelope, preAuthEncoding } from "../../src/delivery/proof/dsse.ts";
import { KEY_LIST_TYPE, keyListBytes } from "../../src/delivery/proof/key-list.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { listedKey } from "../../src/ledger/listed-key.ts";
import { keyLists, type ProofKey, proofKeys, publishKeyList } from "../../src/ledger/proof-keys.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import type { Signer, SignerSource } from "../../src/proof/signer.ts";

/** Another process that publishes a list at the same time is mostly one that starts. */
const TRIES = 5;

/**
 * The signer, once its key is in the published list. A new key retires the one that its holder had before, and the list
 * that says so is signed by both, where the configuration still has the old one.
 * @throws TransientError `proof-key-retired`, as SignerSource.open does
 */
export async function signerInUse(ledger: Ledger, source: SignerSource): Promise<Signer> {
  const signer = await source.open();
  for (let tries = 0; tries < TRIES; tries++) {
    const lists = await keyLists(ledger);
    const known = await proofKeys(ledger);
    const own = known.find(({ keyId }) => keyId === signer.keyId);
    if (own !== undefined) return requireActive(signer, own);
    const at = await storeTime(ledger);
    const retired = known.filter(({ holder, validUntil }) => holder === source.holder && validUntil === null);
    const before = known.map((key) => (retired.includes(key) ? { ...key, validUntil: at } : key));
    const { keyId, publicKey } = signer;
    const added = { keyId, publicKey, holder: source.holder, validFrom: at, validUntil: null, revokedAt: null };
    const keys = [...before, added];
    const { previous } = source;
    const hands = over(previous, before) ? [previous, signer] : [signer];
    if (await publish(ledger, lists.length, keys, hands)) return signer;
  }
  throw new TransientError("ledger-unavailable", "the list of proof keys changes all the time; trying again");
}

/**
 * Says of a key that nothing it signed counts any more. The list that says so is signed by the key that signs now.
 * @throws ConfigError `proof-key-unknown`, `proof-key-in-use`
 */
export async function revokeKey(ledger: Ledger, source: SignerSource, keyId: string): Promise<void> {
  const signer = await source.open();
  if (signer.keyId === keyId) {
    throw new ConfigError(
      "proof-key-in-use",
      `${keyId} is the key that signs now: give the server another key first, start it once, and revoke this one then`,
    );
  }
  await signerInUse(ledger, source);
  for (let tries = 0; tries < TRIES; tries++) {
    const lists = await keyLists(ledger);
    const known = await proofKeys(ledger);
    if (!known.some((key) => key.keyId === keyId)) {
      const ids = known.map((key) => key.keyId).join(", ");
      throw new ConfigError("proof-key-unknown", `${keyId} is no key of this server; its keys are ${ids}`);
    }
    const at = await storeTime(ledger);
    const keys = known.map((key) =>
      key.keyId === keyId ? { ...key, validUntil: key.validUntil ?? at, revokedAt: key.revokedAt ?? at } : key,
    );
    if (await publish(ledger, lists.length, keys, [signer])) return;
  }
  throw new TransientError("ledger-unavailable", "the list of proof keys changes all the time; try again");
}

function requireActive(signer: Signer, { keyId, validUntil, revokedAt }: ProofKey): Signer {
  if (validUntil === null && revokedAt === null) return signer;
  throw new TransientError(
    "proof-key-retired",
    `the proof key ${keyId} was ${revokedAt === null ? "retired" : "revoked"}: proofs are owed until this process has ` +
      "the key that came after it, or a new one",
  );
}

/** Whether the configured former key is one that readers of the list trust. */
function over(previous: Signer | null, known: readonly ProofKey[]): previous is Signer {
  return known.some(({ keyId, revokedAt }) => keyId === previous?.keyId && revokedAt === null);
}

async function publish(
  ledger: Ledger,
  seq: number,
  keys: readonly ProofKey[],
  signers: readonly Signer[],
): Promise<boolean> {
  const payload = keyListBytes({ keys: keys.map(listedKey) });
  const signed = preAuthEncoding(KEY_LIST_TYPE, payload);
  const signatures: Envelope["signatures"] = [];
  for (const signer of signers)
    signatures.push({ sig: (await signer.sign(signed)).toString("base64"), keyid: signer.keyId });
  const envelope = { payload: payload.toString("base64"), payloadType: KEY_LIST_TYPE, signatures };
  return ledger.transaction((tx) => publishKeyList(tx, seq, keys, envelope));
}
