import { join } from "node:path";
import type { ServerConfig } from "../../config/server.ts";
import { openHosts } from "../../hosts/index.ts";
import type { LearningMask } from "../../observe/mask.ts";
import { openRegistries } from "../../registries/index.ts";
import { Store } from "../../store/store.ts";
import { hostTools } from "../host-tools.ts";
import type { Check } from "./check.ts";
import { engineChecks } from "./engine.ts";
import { hostChecks } from "./hosts.ts";
import { machineChecks } from "./machine.ts";
import { noticeChecks } from "./notices.ts";
import { proofChecks } from "./proof.ts";
import { createPublicUrlProbe, publicUrlChecks } from "./public-url.ts";
import { registryChecks } from "./registries.ts";

export interface DoctorOptions {
  /** Registries report secrets that they make, such as tokens. */
  learn: LearningMask["learn"];
  /** Send each notice target a test event. */
  sendTestNotices?: boolean;
}

/** One for each thing that the configuration names, group by group. */
export async function checksOf(config: ServerConfig, { learn, sendTestNotices }: DoctorOptions): Promise<Check[]> {
  const store = new Store(join(config.dataDir, "store"));
  const hosts = await openHosts(config.hosts, hostTools(null, learn));
  const registries = await openRegistries(config.registries, { store, learn });
  const probe = createPublicUrlProbe(config, hosts);
  return [
    ...machineChecks(config),
    ...proofChecks(config, learn),
    ...engineChecks(config, store),
    ...publicUrlChecks(config, hosts, probe),
    ...hostChecks(config, hosts, probe),
    ...registryChecks(config, registries),
    ...noticeChecks(config, sendTestNotices ?? false),
  ];
}
