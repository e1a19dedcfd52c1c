import { createHmac, randomUUID } from "node:crypto";

/** A webhook as GitHub sends it, for tests that send it by a client of their own. */
export function signed(
  secret: string,
  event: string,
  payload: object,
): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(payload);
  const headers = {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    "X-GitHub-Event": event,
    "X-GitHub-Delivery": randomUUID(),
    "X-Hub-Signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
  };
  return { headers, body };
}
