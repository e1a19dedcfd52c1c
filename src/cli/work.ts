import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { BuildSlots } from "../../workers/build-slots.ts";
import { openRecentGreen } from "../../workers/commit/recent-green.ts";
import { openIdentities } from "../../workers/commit/repo-identity.ts";
import { releaseLeftovers, startWorkers, type Workers } from "../../workers/main.ts";
import type { Station } from "../../workers/station.ts";
import { clearLeftovers } from "../../workers/sweep/housekeeping.ts";
import type { BuilderParts } from "../builders/builder-kind.ts";
import { requireEngineAddress } from "../builders/engine/settings.ts";
import { builderKinds } from "../builders/index.ts";
import { Mirrors } from "../git/mirrors.ts";
import { requireGit } from "../git/require-git.ts";
import { openNotifiers } from "../notices/index.ts";
import { observed, towards } from "../observe/scope.ts";
import { openSigner } from "../proof/open-signer.ts";
import { consume } from "../queue/consume.ts";
import { registryTypes } from "../registries/index.ts";
import { systemClock } from "../run/clock.ts";
import { type Intake, startIntake } from "../store/intake.ts";
import { loadStoreId } from "./data-dir.ts";
import { LazyEngine } from "./lazy-engine.ts";
import type { Parts } from "./parts.ts";

/** A stage takes from a second (a small image) to hours (CI that waits for a person). */
const STAGE_BUCKETS_SECONDS = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 4 * 3_600, 24 * 3_600];
const WAIT_BUCKETS_SECONDS = [0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600];

/** Evaluates, delivers and announces in this process. */
export async function work(parts: Parts): Promise<Workers> {
  const { config, log, store } = parts;
  const directory = await loadStoreId(config.dataDir);
  await releaseLeftovers(parts, directory);
  await clearLeftovers({ tmp: join(config.dataDir, "tmp"), store });
  // What is configured wrongly must stop the start, not the first build; and before the intake keeps the process alive.
  requireEngineAddress(config.docker, process.env);
  await requireGit();
  const notifiers = openNotifiers(config.notices);
  const { listen = "127.0.0.1:0", advertise } = config.docker.intake ?? {};
  const intake = await startIntake({
    store,
    listen,
    advertise,
    onBug: (error) => log.error("the intake failed", { error }),
  });
  const signer = await openSigner(config.proof, config.dataDir, directory, parts.mask.learn);
  const engine = new LazyEngine(parts, config.docker);
  const buildSlots = new BuildSlots(config.workers.slots);
  const { metrics, observer } = parts;
  metrics.gauge("deliverd_slots", "Build slots of this process: busy, used ahead of CI, free.", () =>
    Object.entries(buildSlots.usage()).map(([state, slots]) => [{ state }, slots]),
  );
  const drift = metrics.counter("deliverd_drift_total", "Immutable names found changed or gone behind our back.");
  for (const registry of Object.keys(config.registries)) drift.add({ registry }, 0);
  const station: Station = {
    ...parts,
    // Under one key: what is configured has addresses, and no keys.
    notifiers: notifiers.map((one) => towards(observer, "notices", one)),
    mirrors: new Mirrors(join(config.dataDir, "mirrors")),
    builders: openBuilders(parts, engine, intake),
    buildSlots,
    engine,
    signer,
    clock: systemClock,
    drift,
    preparedSeconds: metrics.counter(
      "deliverd_prepared_ahead_seconds_total",
      "Seconds of work done while CI still ran: saved where the commit was delivered, wasted where it never will be.",
    ),
    stageSeconds: metrics.histogram(
      "deliverd_delivery_stage_seconds",
      "How long deliveries were in each stage.",
      STAGE_BUCKETS_SECONDS,
    ),
    queueWait: metrics.histogram(
      "deliverd_queue_wait_seconds",
      "How long deliveries that were due waited for a worker.",
      WAIT_BUCKETS_SECONDS,
    ),
    owner: `${directory}/${hostname()}/${process.pid}/${randomBytes(4).toString("hex")}`,
    storeId: directory,
    identities: openIdentities(),
    recentGreen: openRecentGreen(),
    tmp: join(config.dataDir, "tmp"),
  };
  const renewed = metrics.counter(
    "deliverd_workers_renewed_total",
    "Queue consumers made anew, since they heard nothing while jobs waited and Redis answered.",
  );
  const workers = startWorkers(
    station,
    (name, places, each) =>
      consume(
        parts.redis,
        name,
        places,
        (job, id) => observed(observer, { queue: name, job: id }, () => each(job)),
        log,
      ),
    renewed,
    (work) => observed(observer, {}, work),
  );
  log.info("working", { slots: config.workers.slots, intake: intake.host });
  void warnWithoutEngine(parts);
  return {
    async stop(grace) {
      await workers.stop(grace);
      station.mirrors.close();
      await intake.stop();
    },
  };
}

/** Without an engine, everything but builds works: the first build would be the first to say so. */
async function warnWithoutEngine({ config, log }: Pick<Parts, "config" | "log">): Promise<void> {
  const { findUnreachable } = await import("../builders/engine/reach.ts");
  const unreachable = await findUnreachable(config.docker, process.env);
  if (unreachable === null) return;
  log.warn(
    "the engine cannot be reached: commits are evaluated, and their builds wait for it. Start it, or set docker.socket " +
      "or DOCKER_HOST to where it listens; the user of deliverd has to be let in",
    { engine: unreachable.where, error: unreachable.reason },
  );
}

function openBuilders(parts: Parts, engine: LazyEngine, intake: Intake): Station["builders"] {
  const { config, log, store } = parts;
  const building: BuilderParts = {
    engine: () => engine.engine(),
    cacheUses: engine.cacheUses,
    intake,
    store,
    log,
    registryAuth: (host) => credentialsFor(parts, host),
    network: config.docker.network ?? undefined,
  };
  return { image: builderKinds.image.open(building), files: builderKinds.files.open(building) };
}

/** Credentials of the registry whose exact host this is, and of no other. */
export function credentialsFor(
  { config }: Pick<Parts, "config">,
  host: string,
): { username: string; password: string } | null {
  for (const registry of Object.values(config.registries)) {
    const login = registryTypes.of(registry).baseImageLogin?.(registry, host) ?? null;
    if (login !== null) return login;
  }
  return null;
}
