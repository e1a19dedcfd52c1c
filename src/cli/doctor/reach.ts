import { lookup } from "node:dns/promises";
import { connect } from "node:net";

/** Why a server cannot be reached. Failures with the same key have the same cause. */
export interface Unreachable {
  key: string;
  text: string;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Returns a function that tries each server once: its name, then a TCP connection. Null: it can be reached. */
export function createReach(): (server: URL) => Promise<Unreachable | null> {
  const tried = new Map<string, Promise<Unreachable | null>>();
  return (server) => {
    const known = tried.get(server.host) ?? tryServer(server);
    tried.set(server.host, known);
    return known;
  };
}

async function tryServer({ hostname, host, port, protocol }: URL): Promise<Unreachable | null> {
  const name = hostname.replace(/^\[|\]$/g, "");
  try {
    await lookup(name);
  } catch (error) {
    return { key: host, text: `the name ${name} cannot be looked up (${codeOf(error)})` };
  }
  const code = await connectionError(name, Number(port || (protocol === "https:" ? 443 : 80)));
  if (code === null) return null;
  return code === "ENETUNREACH"
    ? { key: "network", text: `this machine has no route to ${host} (ENETUNREACH)` }
    : { key: host, text: `${host} cannot be reached (${code})` };
}

function connectionError(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (code: string | null) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
    socket.once("connect", () => end(null));
    socket.once("error", (error) => end(codeOf(error)));
  });
}

function codeOf(error: unknown): string {
  // With several addresses, Node throws one error for all of them.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && "code" in first ? String(first.code) : String(first);
}
