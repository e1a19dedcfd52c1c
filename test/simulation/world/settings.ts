import type { ServerConfig } from "../../../src/config/server.ts";
import { serverSchema } from "../../../src/config/server-schema.ts";

/** The keys of the registries. */
export const REGISTRIES = ["east", "west"] as const;

/** The server's configuration of every run. */
export function serverConfig(prepare: "eager" | "onGreen", shared: boolean): ServerConfig {
  const file = serverSchema.parse({
    hosts: { github: { type: "github", webhookSecret: "not-a-secret" } },
    registries: Object.fromEntries(
      REGISTRIES.map((key) => [
        key,
        { type: "oci", url: `https://${key}.example`, ...(shared && { shared: ["acme/shared"] }) },
      ]),
    ),
    notices: [],
    repos: ["acme/*"],
    prepare,
  });
  return { ...file, publicUrl: "https://deliverd.example", dataDir: "/simulated" };
}
