import { PAYLOAD_TYPE, preAuthEncoding } from "../delivery/proof/dsse.ts";
import { type Statement, statementBytes } from "../delivery/proof/statement.ts";
import type { Signer } from "./signer.ts";

/**
 * Signs a statement. ECDSA's signatures differ each time, so that a statement is signed once and the bundle is kept.
 * @returns a Sigstore bundle, version 0.3: JSON
 * @throws as Signer.sign does
 */
export async function signStatement(signer: Signer, statement: Statement): Promise<string> {
  // Sigstore's libraries are loaded here, and not at a start.
  const { bundleToJSON, toDSSEBundle } = await import("./sigstore.ts");
  const payload = statementBytes(statement);
  const signature = await signer.sign(preAuthEncoding(PAYLOAD_TYPE, payload));
  const bundle = toDSSEBundle({
    ...{ artifact: payload, artifactType: PAYLOAD_TYPE, signature },
    // The hint and the envelope's key id are the same: the specification asks for that.
    keyHint: signer.keyId,
  });
  return JSON.stringify(bundleToJSON(bundle));
}
