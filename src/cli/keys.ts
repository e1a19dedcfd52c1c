import { revokeKey, signerInUse } from "../../workers/proof/keys.ts";
import { loadServerConfig, type ServerConfig } from "../config/server.ts";
import type { ListedKey } from "../delivery/proof/key-list.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import { listedKey } from "../ledger/listed-key.ts";
import { proofKeys } from "../ledger/proof-keys.ts";
import { openSigner } from "../proof/open-signer.ts";
import type { SignerSource } from "../proof/signer.ts";
import { makeFolder } from "../run/make-folder.ts";
import { loadStoreId } from "./data-dir.ts";
import { dataDirError } from "./data-dir-errors.ts";
import type { Column } from "./table.ts";

/** Every key that ever signed. The server's own is added if it never ran. @throws ConfigError, TransientError */
export function listKeys(configPath: string | undefined): Promise<ListedKey[]> {
  return withKeys(configPath, async (ledger, source) => {
    await signerInUse(ledger, source);
    return (await proofKeys(ledger)).map(listedKey);
  });
}

/** @throws ConfigError `proof-key-unknown`, `proof-key-in-use`, TransientError */
export function revoke(configPath: string | undefined, keyId: string): Promise<void> {
  return withKeys(configPath, (ledger, source) => revokeKey(ledger, source, keyId));
}

export const KEY_COLUMNS: Column<ListedKey>[] = [
  { heading: "KEY", text: ({ keyId }) => keyId },
  { heading: "STATE", text: stateOf, style: (key) => (stateOf(key) === "signs" ? "green" : "gray") },
  { heading: "FROM", text: ({ validFrom }) => validFrom },
  { heading: "UNTIL", text: ({ validUntil, revokedAt }) => revokedAt ?? validUntil ?? "-" },
];

function stateOf({ validUntil, revokedAt }: ListedKey): string {
  if (revokedAt !== null) return "revoked";
  return validUntil === null ? "signs" : "retired";
}

async function withKeys<T>(
  configPath: string | undefined,
  work: (ledger: Ledger, source: SignerSource) => Promise<T>,
): Promise<T> {
  const config: ServerConfig = loadServerConfig({ path: configPath, env: process.env });
  const { dataDir, databaseUrl, proof } = config;
  await makeFolder(dataDir, 0o700).catch((error: unknown) => {
    throw dataDirError(dataDir, error);
  });
  const source = await openSigner(proof, dataDir, await loadStoreId(dataDir), () => {});
  const ledger = await openLedger({ dataDir, databaseUrl: databaseUrl ?? undefined });
  try {
    return await work(ledger, source);
  } finally {
    await ledger.close();
  }
}
