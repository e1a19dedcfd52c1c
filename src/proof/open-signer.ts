import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileSigner, newKey } from "./file-signer.ts";
import type { Signer, SignerSource } from "./signer.ts";

/** `proof` of the server's configuration. */
export interface KeySettings {
  /** A private key: PEM. */
  key: string | null;
  /** The private key that came before: PEM. */
  previousKey: string | null;
  /** The ARN of a key in AWS KMS. */
  awsKms: string | null;
}

export const KEY_FILE = "proof-key.pem";
const PREVIOUS_KEY_FILE = "proof-key.previous.pem";

/**
 * The configured key, or that of the data directory, which is made if there is none. A key in KMS is asked for when it
 * is first needed, so that a start needs no KMS.
 * @param storeId of the data directory
 * @param learn gets every key that is read from a file, so that no log shows it
 * @throws ConfigError `proof-key`
 */
export async function openSigner(
  { key, previousKey, awsKms }: KeySettings,
  dataDir: string,
  storeId: string,
  learn: (secret: string) => void,
): Promise<SignerSource> {
  const previous = previousKey === null ? null : fileSigner(previousKey, "proof.previousKey");
  if (awsKms !== null) return kmsSource(awsKms, previous);
  if (key !== null) return fixedSource("proof.key", fileSigner(key, "proof.key"), previous);
  const file = join(dataDir, KEY_FILE);
  const pem = await readOrMakeKey(file);
  learn(pem);
  const own = fileSigner(pem, file);
  return fixedSource(`data directory ${storeId}`, own, previous ?? (await readPrevious(dataDir, learn)));
}

function fixedSource(holder: string, signer: Signer, previous: Signer | null): SignerSource {
  return { holder, previous, open: async () => signer };
}

function kmsSource(arn: string, previous: Signer | null): SignerSource {
  let opened: Promise<Signer> | null = null;
  return {
    holder: "proof.awsKms",
    previous,
    open() {
      // A failure is not kept: the next call asks again.
      opened ??= import("./kms-signer.ts")
        .then(({ kmsSigner }) => kmsSigner(arn))
        .catch((error: unknown) => {
          opened = null;
          throw error;
        });
      return opened;
    },
  };
}

/** A file that is there is whole: a process that dies while it writes leaves no half key. */
async function readOrMakeKey(file: string): Promise<string> {
  const known = await readFile(file, "utf8").catch(nullIfMissing);
  if (known !== null) return known;
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, newKey(), { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, "utf8");
}

async function readPrevious(dataDir: string, learn: (secret: string) => void): Promise<Signer | null> {
  const file = join(dataDir, PREVIOUS_KEY_FILE);
  const pem = await readFile(file, "utf8").catch(nullIfMissing);
  if (pem === null) return null;
  learn(pem);
  return fileSigner(pem, file);
}

function nullIfMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}
