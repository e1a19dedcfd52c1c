import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRunLog } from "../../../workers/deliver/run-log.ts";
import type { Station } from "../../../workers/station.ts";
import { openEngine } from "../../builders/engine/open.ts";
import { builderKinds } from "../../builders/index.ts";
import { type ServerConfig, secretsOf } from "../../config/server.ts";
import { openLedger } from "../../ledger/ledger.ts";
import { silentLog } from "../../observe/log.ts";
import { createMask } from "../../observe/mask.ts";
import { openRegistries } from "../../registries/index.ts";
import { systemClock } from "../../run/clock.ts";
import type { Run } from "../../run/run.ts";
import { startIntake } from "../../store/intake.ts";
import { Store } from "../../store/store.ts";
import { requireEngine } from "../require-engine.ts";
import { credentialsFor } from "../work.ts";

/** The part of a worker's station that a build and its publication use. */
export type BuildStation = Pick<
  Station,
  "config" | "ledger" | "registries" | "store" | "builders" | "log" | "mask" | "clock" | "owner" | "storeId" | "tmp"
>;

/** A station that lasts for one build, and its run. */
export interface OpenStation {
  station: BuildStation;
  run: Run;
  /** Writes what the log still holds back. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens what a worker has, in a folder that goes with the build: a ledger and a store of their own, an intake at a free
 * port. The registries and the engine are those of the configuration.
 * @param log gets the build's log
 * @throws ConfigError `docker-host`, `intake-listen`, `registry-url`, `registry-credentials`; Failure if no engine answers
 */
export async function openStation(
  config: ServerConfig,
  signal: AbortSignal,
  log: (text: string) => void,
): Promise<OpenStation> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const each of closing.reverse().splice(0)) await each();
  };
  const engine = await openEngine(config.docker, process.env);
  if (engine.protocol === "docker") {
    const address = { socket: config.docker.socket ?? undefined, env: process.env };
    await requireEngine(engine.docker, address, ["docker.socket"]);
  }
  try {
    const dir = await mkdtemp(join(tmpdir(), "deliverd-build-"));
    closing.push(() => rm(dir, { recursive: true, force: true }));
    const ledger = await openLedger({ dataDir: dir });
    closing.push(() => ledger.close());
    const mask = createMask(secretsOf(config));
    const store = new Store(join(dir, "store"));
    const intake = await startIntake({ store, ...intakeOf(config) });
    closing.push(() => intake.stop());
    const building = {
      ...{ engine: async () => engine, cacheUses: new Map(), intake, store, log: silentLog },
      registryAuth: (host: string) => credentialsFor({ config }, host),
      network: config.docker.network ?? undefined,
    };
    const tmp = join(dir, "tmp");
    await mkdir(tmp);
    const runLog = createRunLog({ append: async (text) => log(text), mask });
    return {
      station: {
        ...{ config, ledger, store, mask, tmp, log: silentLog, clock: systemClock },
        registries: await openRegistries(config.registries, { store, learn: mask.learn }),
        builders: { image: builderKinds.image.open(building), files: builderKinds.files.open(building) },
        owner: `build/${process.pid}/${randomBytes(4).toString("hex")}`,
        storeId: "build",
      },
      run: { log: runLog, signal, tmp, clock: systemClock },
      flush: () => runLog.flush(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A daemon on this machine has the configured port, and the engine reaches another one of this machine as well. */
function intakeOf({ docker: { intake } }: ServerConfig): { listen: string; advertise?: string } {
  if (intake === null || intake.listen.startsWith("127.0.0.1:")) return { listen: "127.0.0.1:0" };
  return intake;
}
