import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { Registry } from "../../../../src/registries/registry.ts";
import { secretAccessKey, useAws } from "../../../support/registries/aws/index.ts";

/** What every type of registry at AWS is held to: a check that fails for its credentials says so, and shows none of them. */
export async function demandSilence(aws: Parameters<typeof useAws>[0], open: () => Registry): Promise<void> {
  for (const [secret, code] of [
    ["canary-wrong-secret", "registry-denied"],
    ["", "aws-credentials"],
  ] as const) {
    const restore = useAws(aws, secret);
    try {
      await assert.rejects(open().check(), (error: Error & { code: string }) => {
        assert.deepEqual([error.name, error.code], ["ConfigError", code]);
        assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /canary/);
        return true;
      });
    } finally {
      restore();
    }
  }
  assert.match(secretAccessKey, /canary/);
}
