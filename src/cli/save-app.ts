import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MadeApp } from "../hosts/app-setup.ts";

/** Writes the secrets of a new App into dataDir, readable for deliverd alone. @returns their paths */
export async function saveApp(
  dataDir: string,
  { id, privateKey, webhookSecret }: MadeApp,
): Promise<{ privateKey: string; webhookSecret: string }> {
  const files = {
    privateKey: join(dataDir, `github-app-${id}.pem`),
    webhookSecret: join(dataDir, `github-app-${id}.webhook-secret`),
  };
  await writeFile(files.privateKey, privateKey, { mode: 0o600, flag: "wx" });
  await writeFile(files.webhookSecret, `${webhookSecret}\n`, { mode: 0o600, flag: "wx" });
  return files;
}
