import { ConfigError } from "../../delivery/errors.ts";

/** Where a Docker Engine listens. */
export type EngineAddress = { socket: string } | { host: string; port: number };

/**
 * The engine under a socket path, else under DOCKER_HOST (`unix://` or `tcp://`), else under Docker's own default.
 * @throws ConfigError `docker-host`
 */
export function engineAddress(options: { socket?: string | undefined; env: NodeJS.ProcessEnv }): EngineAddress {
  const { socket, env } = options;
  if (socket) return { socket };
  const address = env.DOCKER_HOST || "unix:///var/run/docker.sock";
  const unix = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  if (unix) return { socket: unix };
  const [, host, port] = /^tcp:\/\/\[?([A-Za-z0-9.:-]+?)\]?:(\d+)$/.exec(address) ?? [];
  if (host && port && !env.DOCKER_TLS_VERIFY) return { host, port: Number(port) };
  throw new ConfigError(
    "docker-host",
    `DOCKER_HOST is "${address}": expected unix:///path/to/docker.sock or tcp://host:port without TLS. ` +
      "For an engine elsewhere, forward its socket (ssh -L) and set docker.socket.",
  );
}
