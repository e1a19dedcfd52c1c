import { createHmac, randomUUID } from "node:crypto";

/** A webhook request that says nothing: who takes it has the same secret. */
export function signedPing(secret: string): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ zen: "deliverd asks whether it reaches itself." }));
  return {
    headers: {
      "content-type": "application/json",
      "x-github-event": "ping",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    body,
  };
}
