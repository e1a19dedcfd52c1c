import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { type BuildKit, speakTo } from "./connection.ts";

/** Where a buildkitd listens. */
export interface BuildKitAddress {
  /** `unix:///run/buildkit/buildkitd.sock` or `tcp://host:1234`. */
  url: string;
  /** For `tcp://`: PEM texts of the authority that vouches for it, and of our own certificate and key. */
  tls: { ca: string; cert: string; key: string } | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A network that drops a silent connection is noticed within a few minutes. */
const KEEP_ALIVE_MS = 30_000;

/** Connects to a buildkitd. @throws what the connection throws */
export async function connectBuildKit(address: BuildKitAddress): Promise<BuildKit> {
  const [socket, ready] = open(address);
  try {
    // An error of the connection rejects this, too.
    await once(socket, ready, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
  } catch (error) {
    socket.destroy();
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    throw Object.assign(new Error(`${address.url} does not answer within ${CONNECT_TIMEOUT_MS / 1000} s`), {
      code: "ETIMEDOUT",
    });
  }
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return speakTo(socket);
}

function open({ url, tls: credentials }: BuildKitAddress): [socket: net.Socket, ready: string] {
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol === "unix:") return [net.connect(decodeURIComponent(pathname)), "connect"];
  const where = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
  if (credentials === null) return [net.connect(where), "connect"];
  const servername = net.isIP(where.host) === 0 ? { servername: where.host } : {};
  return [tls.connect({ ...where, ...servername, ...credentials, ALPNProtocols: ["h2"] }), "secureConnect"];
}
