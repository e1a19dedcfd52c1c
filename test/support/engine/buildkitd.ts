import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BuildKitAddress, connectBuildKit } from "../../../src/builders/buildkit/address.ts";
import { askWorkers } from "../../../src/builders/buildkit/workers.ts";
import { freePort, startServer, type TempDir, tempDir } from "../processes/process.ts";
import { endLeftovers, unmountBelow } from "./leftovers.ts";

/** A private buildkitd. */
export interface BuildKitDaemon {
  address: BuildKitAddress;
  pid: number;
  output(): string;
  stop(): Promise<void>;
}

/** Names the program, if it is not on the PATH. */
const PROGRAM = process.env.DELIVERD_TEST_BUILDKITD || "buildkitd";

/** Starts a buildkitd whose steps have the machine's network. Registries on 127.0.0.1 may speak plain HTTP. */
export async function startBuildKit(options: { tls?: boolean } = {}): Promise<BuildKitDaemon> {
  const dir = await tempDir();
  try {
    const { address, args } = options.tls ? await tcpAddress(dir) : unixAddress(dir);
    const config = join(dir.path, "buildkitd.toml");
    await writeFile(config, "[worker.oci]\nenabled = true\n[worker.containerd]\nenabled = false\n");
    const common = ["--config", config, "--root", join(dir.path, "state"), "--oci-worker-net=host"];
    const answers = async () => {
      const buildkit = await connectBuildKit(address);
      await askWorkers(buildkit.client).finally(() => buildkit.close());
    };
    const server = await startServer(PROGRAM, [...common, ...args], answers);
    return {
      address,
      pid: server.child.pid ?? 0,
      output: () => server.output(),
      async stop() {
        await server.stop();
        await endLeftovers(dir.path);
        await unmountBelow(dir.path);
        await dir.remove();
      },
    };
  } catch (error) {
    await dir.remove();
    throw error;
  }
}

function unixAddress(dir: TempDir): { address: BuildKitAddress; args: string[] } {
  const url = `unix://${join(dir.path, "s")}`;
  return { address: { url, tls: null }, args: ["--addr", url] };
}

/** With an authority of its own, which vouches for server and client. */
async function tcpAddress(dir: TempDir): Promise<{ address: BuildKitAddress; args: string[] }> {
  const url = `tcp://127.0.0.1:${await freePort()}`;
  await promisify(execFile)("sh", ["-ec", CERTIFICATES], { cwd: dir.path });
  const file = (name: string) => join(dir.path, name);
  const text = (name: string) => readFile(file(name), "utf8");
  return {
    address: {
      url,
      tls: { ca: await text("ca.pem"), cert: await text("client.pem"), key: await text("client.key") },
    },
    args: [
      ...["--addr", url, "--tlscacert", file("ca.pem")],
      ...["--tlscert", file("server.pem"), "--tlskey", file("server.key")],
    ],
  };
}

const CERTIFICATES = `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
  echo "subjectAltName=IP:127.0.0.1" > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
done`;
