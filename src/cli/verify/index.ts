import { readFile } from "node:fs/promises";
import { Refused } from "../../delivery/errors.ts";
import type { ProofPolicy } from "../../delivery/proof/judge.ts";
import { type PublishedKeys, readPublishedKeys } from "../../delivery/proof/key-list.ts";
import { systemClock } from "../../run/clock.ts";
import { type ClientOptions, request, requestJson } from "../client.ts";
import { EXIT, Failure } from "../exit.ts";
import { linesOf } from "./file.ts";
import { trustedKeys } from "./keys.ts";
import { readTarget } from "./read-target.ts";
import type { FoundBundle, Target } from "./target.ts";
import { type Verification, verifyTarget } from "./verify.ts";

export interface VerifyOrder {
  target: string;
  policy: ProofPolicy;
  /** Files with trusted keys. */
  keys: readonly string[];
  /** Files with signed statements. */
  bundles: readonly string[];
  /** Null: no server is asked. */
  server: ClientOptions | null;
}

/** Until a registry or a server has to have answered (ms). */
const LIMIT_MS = 120_000;

/**
 * Verifies what a person names. Nothing of it is trusted but the keys.
 * @throws Failure for wrong usage or what is not there, TransientError if a registry does not answer
 */
export async function verify({ target: named, policy, keys, bundles, server }: VerifyOrder): Promise<Verification> {
  if (keys.length === 0 && server === null)
    throw new Failure(EXIT.usage, "Whom to trust is not known: give --key with a public key, or --server.");
  const found = await readTarget(named, AbortSignal.timeout(LIMIT_MS)).catch((error: unknown) => {
    if (error instanceof Refused) return error;
    throw error;
  });
  if (found instanceof Refused) return notRead(named, found);
  const target = {
    ...found,
    bundles: [...found.bundles, ...(await readBundles(bundles)), ...(await bundlesOf(server, found))],
  };
  const trusted = await trustedKeys(keys, server === null ? null : await publishedKeys(server));
  return verifyTarget(target, trusted, policy, systemClock.now());
}

/** The bytes themselves are wrong, or not there. */
function notRead(target: string, { code, message }: Refused): Verification {
  const failures = [{ code, because: message }];
  return { target, digests: [], bytes: "could not be read", verified: false, failures, proven: null, ignored: [] };
}

async function readBundles(files: readonly string[]): Promise<FoundBundle[]> {
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
        throw new Failure(EXIT.usage, `--bundle ${file}: the file cannot be read (${error.code}).`);
      });
      return linesOf(text).map((line) => ({ from: file, text: line }));
    }),
  );
  return found.flat();
}

interface ServerProof {
  releases: { bundles: { bundle: unknown }[] }[];
}

/** What the server keeps about these bytes. It may know nothing of them. */
async function bundlesOf(server: ClientOptions | null, { digests }: Target): Promise<FoundBundle[]> {
  if (server === null) return [];
  const found: FoundBundle[] = [];
  for (const digest of digests) {
    const response = await request(server, `/api/v1/proof/${digest}`, {}, [404]);
    if (response.status === 404) continue;
    const { releases } = (await response.json()) as ServerProof;
    for (const { bundle } of releases.flatMap((release) => release.bundles))
      found.push({ from: server.server, text: JSON.stringify(bundle) });
  }
  return found;
}

async function publishedKeys(server: ClientOptions): Promise<PublishedKeys> {
  const read = readPublishedKeys(await requestJson(server, "/.well-known/deliverd/keys.json"));
  if (read !== null) return read;
  throw new Failure(EXIT.failed, `${server.server} does not list the keys of its proofs.`);
}
