import type { BuildKitAddress } from "../buildkit/address.ts";
import { engineAddress } from "./address.ts";

/*
 * Where the engine is. A start needs this, and must not load the clients of engines for it: they take a tenth of its
 * time and memory.
 */

/** Where the engine is, as configured. */
export interface EngineSettings {
  /** `auto`: what answers decides. */
  kind: "auto" | "docker" | "podman" | "buildkit";
  /** Path of a unix socket. Null: by the environment. */
  socket: string | null;
  /** Of a BuildKit. */
  url: string | null;
  tls: BuildKitAddress["tls"];
}

/** Requires that the address can be read. @throws ConfigError `docker-host` */
export function requireEngineAddress(settings: EngineSettings, env: NodeJS.ProcessEnv): void {
  if (settings.kind !== "buildkit") engineAddress({ socket: settings.socket ?? undefined, env });
}

/** As `buildctl` finds one. */
export function buildKitAddress({ url, socket, tls }: EngineSettings, env: NodeJS.ProcessEnv): BuildKitAddress {
  const named = url ?? (socket === null ? null : `unix://${socket}`) ?? env.BUILDKIT_HOST;
  return { url: named || "unix:///run/buildkit/buildkitd.sock", tls };
}
