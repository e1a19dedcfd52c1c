import type { WebhookProof } from "./signature.ts";

/** What a webhook of either product says of itself. */
export interface HookFacts {
  isActive: boolean;
  /** True also where the product does not say. */
  hasSecret: boolean;
  verifiesTls: boolean;
  /** Events that it does not send. */
  missing: readonly string[];
}

/** What keeps a webhook from bringing deliverd what it reads, in words for people. */
export function hookFaults({ isActive, hasSecret, verifiesTls, missing }: HookFacts): string[] {
  const faults: [boolean, string][] = [
    [!isActive, "it is not active"],
    [!hasSecret, "it has no secret"],
    [!verifiesTls, "it does not verify the TLS certificate"],
    [missing.length > 0, `it does not send ${missing.join(", ")}`],
  ];
  return faults.flatMap(([applies, text]) => (applies ? [text] : []));
}

/** The name of Data Center's ping serves Cloud, which has none: an event that is not read is ignored. */
export function signedPing(proof: WebhookProof): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ test: true }));
  const headers = { "content-type": "application/json", "x-event-key": "diagnostics:ping" };
  return { headers: { ...headers, ...proof.headersFor(body) }, body };
}
