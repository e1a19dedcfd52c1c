import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MadeApp } from "../hosts/app-setup.ts";
import { type Actor, addToAudit } from "../ledger/audit.ts";
import type { Parts } from "./parts.ts";

/** Writes the secrets of a new App into dataDir, readable for deliverd alone. @returns the paths of the files */
export async function keepApp(
  { config, ledger, log }: Pick<Parts, "ledger" | "log"> & { config: { dataDir: string } },
  { id, name, privateKey, webhookSecret }: MadeApp,
  by: Actor,
): Promise<{ privateKey: string; webhookSecret: string }> {
  const files = {
    privateKey: join(config.dataDir, `github-app-${id}.pem`),
    webhookSecret: join(config.dataDir, `github-app-${id}.webhook-secret`),
  };
  await writeFile(files.privateKey, privateKey, { mode: 0o600, flag: "wx" });
  await writeFile(files.webhookSecret, `${webhookSecret}\n`, { mode: 0o600, flag: "wx" });
  log.info("a GitHub App was made", { app: id, name });
  await addToAudit(ledger, {
    ...by,
    action: "set-up",
    repoId: null,
    sha: null,
    outcome: `made the App ${name} (${id})`,
  });
  return files;
}
