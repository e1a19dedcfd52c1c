import type { HostConfig } from "../config/server.ts";
import { githubHost } from "./github/index.ts";
import type { Host } from "./host.ts";

/** Every configured host by its key. @throws ConfigError. */
export function openHosts(hosts: Record<string, HostConfig>): Map<string, Host> {
  return new Map(Object.entries(hosts).map(([key, config]) => [key, open(key, config)]));
}

function open(key: string, { type, ...config }: HostConfig): Host {
  switch (type) {
    case "github":
      return githubHost({ key, ...config });
  }
}
