import { execFile } from "node:child_process";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { tempDir } from "../../test/support/processes/process.ts";
import { BIN, type Deliverd } from "../../test/support/world/deliverd.ts";
import { patience } from "./scene.ts";
import type { Teller } from "./teller.ts";

interface Proof {
  state: string;
  bundles: { bundle: unknown }[];
}

const run = promisify(execFile);

/** Verifies the image that was pulled back, as a deployer does; then flips one byte of it, and sees it refused. */
export async function verifyAndTamper(
  deliverd: Deliverd,
  { artifact, version }: ReleaseView,
  reference: string,
  tell: Teller,
  signal: AbortSignal,
): Promise<void> {
  const proof = await patience(signal)("the proof of the release stands", async () => {
    const found = await deliverd.api<Proof>(`/api/v1/releases/${artifact}/${version}/proof`);
    return found.state === "stands" ? found : null;
  });
  const dir = await tempDir();
  try {
    const call = async (...args: string[]) => run(process.execPath, [BIN, ...args], { signal });
    const config = ["--config", deliverd.configFile];
    const key = join(dir.path, "deliverd.pub");
    await writeFile(key, (await call("keys", "--pem", ...config)).stdout);
    tell.step("deliverd verify", reference);
    tell.quote((await call("verify", reference, "--key", key, "--require-check", "test")).stdout);

    const [layout, bundles] = [join(dir.path, "layout"), join(dir.path, "proof.jsonl")];
    await call("pull", `${artifact}@${version}`, "--layout", "--output", layout, ...config);
    await writeFile(bundles, proof.bundles.map(({ bundle }) => `${JSON.stringify(bundle)}\n`).join(""));
    await flipByte(layout);
    tell.step("one byte flipped", "in a layer of the image, pulled once more");
    const refused = await call("verify", layout, "--bundle", bundles, "--key", key).then(
      () => null,
      (error: { stdout: string }) => error.stdout,
    );
    if (refused === null) throw new Error("deliverd verify took an image with a byte flipped");
    tell.quote(refused);
  } finally {
    await rm(dir.path, { recursive: true });
  }
}

/** In the middle of its largest blob. */
async function flipByte(layout: string): Promise<void> {
  const folder = join(layout, "blobs/sha256");
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => ({ name, size: (await stat(join(folder, name))).size })),
  );
  const [largest] = files.toSorted((a, b) => b.size - a.size);
  if (largest === undefined) throw new Error(`${layout} holds no blob`);
  const file = join(folder, largest.name);
  const bytes = await readFile(file);
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(file, bytes);
}
