import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Struct } from "./model.ts";
import { Fault } from "./write.ts";

interface KmsKey {
  spec: "ECC_NIST_P256" | "ECC_NIST_P384" | "RSA_2048";
  usage: "SIGN_VERIFY" | "ENCRYPT_DECRYPT";
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** Key Management Service: keys that sign and are never given out. https://docs.aws.amazon.com/kms/latest/APIReference */
export class Kms {
  readonly keys = new Map<string, KmsKey>();

  /** @returns its ARN */
  create(spec: KmsKey["spec"] = "ECC_NIST_P256", usage: KmsKey["usage"] = "SIGN_VERIFY"): string {
    const pair =
      spec === "RSA_2048"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: spec === "ECC_NIST_P256" ? "P-256" : "P-384" });
    const id = `00000000-0000-4000-8000-${String(this.keys.size).padStart(12, "0")}`;
    const arn = `arn:aws:kms:eu-west-1:123456789012:key/${id}`;
    this.keys.set(arn, { spec, usage, ...pair });
    return arn;
  }

  answer(operation: string, input: Struct): Struct {
    const KeyId = String(input.KeyId);
    const key = this.keys.get(KeyId);
    if (key === undefined) throw new Fault(400, "NotFoundException", `Key '${KeyId}' does not exist`);
    switch (operation) {
      case "GetPublicKey": {
        const PublicKey = key.publicKey.export({ type: "spki", format: "der" });
        return { KeyId, PublicKey, KeySpec: key.spec, KeyUsage: key.usage };
      }
      case "Sign":
        return { KeyId, SigningAlgorithm: "ECDSA_SHA_256", Signature: signDigest(key, input) };
      default:
        throw new Fault(400, "InvalidAction", `the stand-in of KMS knows no ${operation}`);
    }
  }
}

/** Node signs only what it hashes itself. openssl signs a digest. */
function signDigest({ privateKey, usage, spec }: KmsKey, input: Struct): Buffer {
  const { Message, MessageType, SigningAlgorithm } = input;
  if (usage !== "SIGN_VERIFY" || spec !== "ECC_NIST_P256" || SigningAlgorithm !== "ECDSA_SHA_256")
    throw new Fault(400, "InvalidKeyUsageException");
  if (!Buffer.isBuffer(Message) || Message.length > 4_096) throw new Fault(400, "ValidationException", "Message");
  if (MessageType !== "DIGEST" || Message.length !== 32) throw new Fault(400, "ValidationException", "MessageType");
  const dir = mkdtempSync(join(tmpdir(), "kms-"));
  try {
    const file = join(dir, "key.pem");
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
    return execFileSync("openssl", ["pkeyutl", "-sign", "-inkey", file], { input: Message });
  } finally {
    rmSync(dir, { recursive: true });
  }
}
