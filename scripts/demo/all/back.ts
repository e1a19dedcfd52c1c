import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LocationView, ReleaseView } from "../../../src/delivery/release-view.ts";
import { tempDir } from "../../../test/support/processes/process.ts";
import { BIN, type Deliverd } from "../../../test/support/world/deliverd.ts";
import type { Teller } from "../teller.ts";
import { digestOf, digestsIn } from "./clients.ts";
import type { Client, Place } from "./place.ts";

const run = promisify(execFile);

/** Fetches each release from each of its registries, through deliverd and past it. @throws Error where any of it fails or differs */
export async function bringBack(
  releases: ReleaseView[],
  places: Map<string, Place>,
  deliverd: Deliverd,
  tell: Teller,
  signal: AbortSignal,
): Promise<void> {
  const dir = await tempDir();
  let wrong = 0;
  let right = 0;
  const attempt = async (client: Client | undefined, release: ReleaseView, location: LocationView) => {
    const { key = location.registry, isReal = false } = places.get(location.registry) ?? {};
    const about = `${key.padEnd(6)} ${(isReal ? "real" : "stand-in").padEnd(9)} ${(client?.tool ?? "").padEnd(13)}`;
    try {
      if (client === undefined) throw new Error(`nobody reads ${release.kind} back from here`);
      const directory = join(dir.path, release.artifact, key, client.tool.replaceAll(" ", "-"));
      await mkdir(directory, { recursive: true });
      const told = compare(release, await client.fetch({ release, location, directory }));
      right += 1;
      tell.fact(release.artifact, `${about} ${told}`);
    } catch (error) {
      wrong += 1;
      tell.fact(release.artifact, `${about} FAILED`);
      tell.quote(reasonOf(error));
    }
  };
  try {
    for (const release of releases) {
      signal.throwIfAborted();
      tell.step("and back", `${release.artifact} ${release.version} ${release.digest}`);
      const from = firstOfEach(release.locations);
      await Promise.all(from.map((location) => attempt(throughDeliverd(deliverd), release, location)));
      await Promise.all(
        from.map((location) => attempt(places.get(location.registry)?.clients[release.kind], release, location)),
      );
    }
    signal.throwIfAborted();
    if (wrong > 0) throw new Error(`${wrong} of ${wrong + right} did not come back as they were released`);
    tell.step("all came back", `${right} times, each with the digest that was released`);
  } finally {
    await dir.remove();
  }
}

/** Where a program failed, what it said: some of them say it on their standard output. */
function reasonOf(error: unknown): string {
  const { message, stdout = "" } = error as { message: string; stdout?: string | Buffer };
  return `${message}\n${stdout}`.trim();
}

function firstOfEach(locations: LocationView[]): LocationView[] {
  return locations.filter(({ registry }, index) => locations.findIndex((one) => one.registry === registry) === index);
}

/** @returns what came back, in words @throws Error where it is not what was released */
function compare({ digest, files }: ReleaseView, got: Record<string, string>): string {
  const released = files.length === 0 ? { manifest: digest } : byName(files);
  const names = Object.keys(got);
  if (names.length === 0) throw new Error("nothing came");
  for (const name of names) {
    if (got[name] !== released[name]) throw new Error(`${name} is ${got[name]}, and was released as ${released[name]}`);
  }
  const all = Object.keys(released).length;
  return (
    names.map((name) => `${name} ${got[name]?.slice(0, 19)}…`).join(", ") +
    (names.length < all ? ` (${names.length} of ${all} files)` : "")
  );
}

function byName(files: ReleaseView["files"]): Record<string, string> {
  return Object.fromEntries(files.map(({ name, digest }) => [name, digest]));
}

/** The command that a person would give; an image comes as the archive of an OCI layout, which skopeo reads. */
function throughDeliverd({ url, adminToken }: Deliverd): Client {
  return {
    tool: "deliverd pull",
    async fetch({ release, location, directory }) {
      const env = { PATH: process.env.PATH, DELIVERD_SERVER: url, DELIVERD_TOKEN: adminToken };
      const args = [
        BIN,
        "pull",
        `${release.artifact}@${release.version}`,
        "--from",
        location.registry,
        "-o",
        directory,
      ];
      await run(process.execPath, args, { env });
      if (release.kind !== "image") return digestsIn(directory);
      const archive = `oci-archive:${join(directory, `${release.artifact}-${release.version}.tar`)}`;
      const { stdout } = await run("skopeo", ["inspect", "--raw", archive], { encoding: "buffer" });
      return { manifest: digestOf(stdout) };
    },
  };
}
