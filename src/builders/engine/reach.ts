import { connect, type NetConnectOpts } from "node:net";
import { engineAddress } from "./address.ts";
import { buildKitAddress, type EngineSettings } from "./settings.ts";

const TIMEOUT_MS = 10_000;

/** An engine to which no connection can be made. */
export interface Unreachable {
  /** Where it should listen, as `unix:///var/run/docker.sock` or `tcp://host:port`. */
  where: string;
  reason: string;
}

/** Connects to the engine, and says nothing to it: whichever API it speaks, something listens. Null: it does. */
export async function findUnreachable(settings: EngineSettings, env: NodeJS.ProcessEnv): Promise<Unreachable | null> {
  const { where, target } = placeOf(settings, env);
  const reason = await new Promise<string | null>((resolve) => {
    const socket = connect(target);
    const end = (text: string | null) => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(TIMEOUT_MS, () => end(`no connection within ${TIMEOUT_MS / 1000} s`));
    socket.once("connect", () => end(null));
    socket.once("error", (error) => end(error.message));
  });
  return reason === null ? null : { where, reason };
}

function placeOf(settings: EngineSettings, env: NodeJS.ProcessEnv): { where: string; target: NetConnectOpts } {
  if (settings.kind === "buildkit") {
    const { url } = buildKitAddress(settings, env);
    const { protocol, hostname, port, pathname } = new URL(url);
    if (protocol === "unix:") return { where: url, target: { path: decodeURIComponent(pathname) } };
    return { where: url, target: { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) } };
  }
  const address = engineAddress({ socket: settings.socket ?? undefined, env });
  return "socket" in address
    ? { where: `unix://${address.socket}`, target: { path: address.socket } }
    : { where: `tcp://${address.host}:${address.port}`, target: address };
}
