import { createHash, createPublicKey } from "node:crypto";
import { Refused } from "../delivery/errors.ts";
import { keyIdOf } from "../delivery/proof/dsse.ts";
import { ask } from "../registries/protocols/aws/ask.ts";
import { clientSettings } from "../registries/protocols/aws/sdk.ts";
import type { Signer } from "./signer.ts";

const CALL_LIMIT_MS = 20_000;

/**
 * A key in AWS KMS, which never leaves it. Credentials come from the chain of AWS's SDK.
 * @param arn of the key: it names the region
 * @throws TransientError, Refused `proof-key-refused` if the key is of another type
 */
export async function kmsSigner(arn: string): Promise<Signer> {
  const { KMSClient, GetPublicKeyCommand, SignCommand } = await import("@aws-sdk/client-kms");
  const kms = new KMSClient(clientSettings(regionOf(arn)));
  const question = (right: string) => ({
    registry: `proof.awsKms (${arn})`,
    right,
    signal: AbortSignal.timeout(CALL_LIMIT_MS),
  });
  const asked = question("kms:GetPublicKey");
  const answer = await ask(asked, () =>
    kms.send(new GetPublicKeyCommand({ KeyId: arn }), { abortSignal: asked.signal }),
  );
  if (answer.KeySpec !== "ECC_NIST_P256" || answer.KeyUsage !== "SIGN_VERIFY" || answer.PublicKey === undefined) {
    throw new Refused(
      "proof-key-refused",
      `proof.awsKms: ${arn} is a key ${answer.KeySpec ?? "of an unknown type"} for ${answer.KeyUsage ?? "no use"}. ` +
        "Name a key with the spec ECC_NIST_P256 and the usage SIGN_VERIFY.",
    );
  }
  const publicKey = createPublicKey({ key: Buffer.from(answer.PublicKey), format: "der", type: "spki" });
  return {
    keyId: keyIdOf(publicKey),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    async sign(bytes) {
      // KMS takes whole messages only up to 4096 bytes.
      const Message = createHash("sha256").update(bytes).digest();
      const order = { KeyId: arn, Message, MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256" } as const;
      const asking = question("kms:Sign");
      const { Signature } = await ask(asking, () => kms.send(new SignCommand(order), { abortSignal: asking.signal }));
      if (Signature === undefined) throw new Refused("proof-key-refused", `proof.awsKms: ${arn} gave no signature`);
      return Buffer.from(Signature);
    },
  };
}

/** `arn:aws:kms:<region>:<account>:key/<id>` */
function regionOf(arn: string): string {
  return arn.split(":")[3] ?? "";
}
