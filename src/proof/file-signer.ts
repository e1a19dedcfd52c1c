import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ConfigError } from "../delivery/errors.ts";
import { keyIdOf } from "../delivery/proof/dsse.ts";
import type { Signer } from "./signer.ts";

/** A new private key: PKCS #8, PEM. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/**
 * @param pem a private key: SEC1 or PKCS #8, without a passphrase
 * @param from what the key is called in errors: its place in the configuration, or its file
 * @throws ConfigError `proof-key`, which shows nothing of the key
 */
export function fileSigner(pem: string, from: string): Signer {
  const key = readKey(pem, from);
  const publicKey = createPublicKey(key);
  return {
    keyId: keyIdOf(publicKey),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    sign: async (bytes) => sign("sha256", bytes, key),
  };
}

function readKey(pem: string, from: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The error of the parser may quote what it read.
    throw wrongKey(from, "it cannot be read as a private key in PEM");
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ec" && details?.namedCurve === "prime256v1") return key;
  throw wrongKey(from, `it is a key of the type ${details?.namedCurve ?? type}`);
}

function wrongKey(from: string, why: string): ConfigError {
  return new ConfigError(
    "proof-key",
    `${from}: ${why}; expected an ECDSA key on the curve P-256, in PEM and without a passphrase, ` +
      "such as `openssl ecparam -name prime256v1 -genkey -noout` makes",
  );
}
