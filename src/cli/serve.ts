import type { RequestHandler } from "express";
import { isDiskNearlyFull } from "../../workers/sweep/housekeeping.ts";
import { createAuth } from "../api/auth.ts";
import { apiRoute } from "../api/index.ts";
import { rulesOf } from "../api/rules.ts";
import { matchRepo } from "../delivery/bounds.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { holdDuty } from "../ledger/duties.ts";
import { countPendingHints, createHintWriter, type NewHint } from "../ledger/hints.ts";
import { addOrders } from "../ledger/orders.ts";
import { failpoint } from "../observe/failpoints.ts";
import { createEnqueuer } from "../queue/enqueuer.ts";
import { createApp, type Listening, listen } from "../receiver/app.ts";
import { createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { createReadiness, type HealthCheck, type HealthOptions, healthRoute } from "../receiver/health.ts";
import { createInbox } from "../receiver/inbox.ts";
import { webhookRoute } from "../receiver/webhooks.ts";
import { openRegistries } from "../registries/index.ts";
import { webRoute } from "../web/index.ts";
import { openComparer } from "./comparer.ts";
import { keepApp } from "./keep-app.ts";
import { keepCi } from "./keep-ci.ts";
import { addLedgerMetrics } from "./metrics.ts";
import { observedRegistries, type Parts } from "./parts.ts";
import { portError } from "./port-error.ts";
import { type Accepts, isConfigured, requestCommit } from "./request-commit.ts";
import { setUpHosts } from "./set-up-hosts.ts";

/** Serves all HTTP: webhooks, health, API and pages. */
export async function serve(parts: Parts): Promise<Listening> {
  const { adminToken, config, ledger, log, metrics, queues } = parts;
  if (adminToken === null) throw new Error("only a receiver serves the API, and it has an admin token");
  const keep = createHintWriter(ledger);
  const inbox = createInbox(async (hints) => {
    failpoint("receiver.before-commit");
    await keep(hints);
    failpoint("receiver.committed");
  });
  addLedgerMetrics(metrics, parts);
  metrics.gauge("deliverd_inbox_pending", "Hints taken and not yet committed.", () => inbox.pending());
  const answers = metrics.counter("deliverd_webhooks_total", "Answers given to webhook requests.");
  const accepts = cachedAccepts((host, owner, name) => matchRepo(config.repos, { host, owner, name }) !== null);
  const evaluations = createEnqueuer(queues, "evaluate", { isBusy: () => inbox.pending() > 0 });
  metrics.gauge("deliverd_evaluations_waiting", "Evaluations not handed to Redis yet.", () => evaluations.waiting());
  const onHints = (hints: NewHint[]) => {
    for (const hint of hints) evaluations.add(jobOf(hint));
  };
  const auth = createAuth({
    adminToken,
    tokens: config.access.tokens,
    anonymous: config.anonymous,
    secureCookie: config.publicUrl.startsWith("https:"),
    log,
  });
  const limits = createConcurrencyLimits();
  const comparer = openComparer(config.dataDir);
  // Separate connections: clients that download slowly must not occupy those that publishing needs.
  const registries = observedRegistries(
    parts.observer,
    await openRegistries(config.registries, { store: parts.store }),
  );
  const onDeliveryChanged = (delivery: Delivery) => void queueNextJobs(parts, delivery);
  const app = createApp({
    webhooks: webhookRoute({
      hosts: parts.hosts,
      accepts,
      inbox,
      keepOrders: (orders) => addOrders(ledger, orders),
      onHints(hints, startedAt) {
        onHints(hints);
        traceReceipt(parts, hints, startedAt);
      },
      onAnswer(host, status) {
        answers.add({ host, status: String(status) });
        failpoint("receiver.answered");
      },
      log,
    }),
    health: observedHealth(parts),
    api: apiRoute({
      ledger,
      auth,
      registries,
      limits,
      requestCommit: (repo, sha) => requestCommit(parts, accepts, repo, sha).then(onHints),
      ci: {
        hosts: parts.hosts,
        keep: async (pushed) => {
          const { name, hint } = await keepCi(parts, accepts, pushed);
          onHints([hint]);
          return name;
        },
      },
      isConfigured: (repo) => isConfigured(parts, accepts, repo),
      rulesOf: (repo) => rulesOf(config, repo),
      compareCommits: comparer.compareCommits,
      statuses: parts,
      onDeliveryChanged,
    }),
    web: webRoute({
      ledger,
      auth,
      limits,
      statuses: parts,
      onDeliveryChanged,
      setUp: {
        hosts: await setUpHosts(config),
        publicUrl: config.publicUrl,
        adminToken,
        save: (made, by) => keepApp(parts, made, by),
      },
    }),
    log,
    trustProxy: config.trustProxy,
  });
  const listening = await listen(app, { port: config.port }).catch((error: unknown) => {
    throw portError("port", config.port, error);
  });
  const close: Listening["close"] = (grace) => {
    comparer.close();
    return listening.close(grace);
  };
  log.info("listening", { port: listening.port, publicUrl: config.publicUrl });
  return { ...listening, close };
}

/** Serves only health and metrics, for a process that is only a worker. */
export async function serveHealth(parts: Parts): Promise<Listening> {
  const app = createApp({
    health: observedHealth(parts),
    log: parts.log,
  });
  const { workerPort } = parts.config;
  return listen(app, { port: workerPort }).catch((error: unknown) => {
    throw portError("workerPort", workerPort, error);
  });
}

/** The health pages, and their checks as a metric. */
function observedHealth(parts: Parts): RequestHandler {
  const options: HealthOptions = { checks: healthChecks(parts), metrics: parts.metrics, log: parts.log };
  const readiness = createReadiness(options);
  parts.metrics.gauge("deliverd_check_ok", "1 if a check of readiness passes, else 0.", async () => {
    const { degraded } = await readiness();
    return options.checks.map(({ name: check }) => [{ check }, degraded.includes(check) ? 0 : 1]);
  });
  return healthRoute(options, readiness);
}

function healthChecks({ config, ledger, queues }: Parts): HealthCheck[] {
  return [
    // Reads also work on a full disk. Only a write shows that webhooks can be stored.
    { name: "ledger", vital: true, check: () => holdDuty(ledger, `readiness ${process.pid}`, "receiver", 1_000) },
    {
      name: "disk",
      vital: false,
      check: async () => {
        if (await isDiskNearlyFull(config.dataDir)) throw new Error(`the disk of ${config.dataDir} is nearly full`);
      },
    },
    {
      name: "redis",
      vital: false,
      check: async () => {
        if (!(await queues.ping())) throw new Error("Redis does not answer");
      },
    },
    {
      name: "inbox",
      vital: false,
      check: async () => {
        const waiting = await countPendingHints(ledger);
        if (waiting > 10_000) throw new Error(`${waiting} hints wait for an evaluation`);
      },
    },
  ];
}

/** The first span of a delivery's trace. It is written afterwards: before, nobody knows which commit a webhook names. */
function traceReceipt({ observer: { tracer } }: Pick<Parts, "observer">, hints: NewHint[], startedAt: number): void {
  if (tracer === null) return;
  for (const { repo, sha, ref, event } of hints) {
    const subject = { repoId: repo.id, commit: sha ?? ref ?? "" };
    const facts = { event, repo: repo.id, sha: sha ?? undefined, ref: ref ?? undefined };
    tracer.start("webhook", { parent: { subject }, kind: "server", facts, startedAt }).end();
  }
}

/** The evaluation that answers a hint. Hints of one commit share a job; the ref counts only if no commit is named. */
function jobOf({ repo, sha, ref }: NewHint) {
  return { repo: repo.id, sha, ref: sha === null ? ref : null };
}

/** Caches the answers for each repo: `repos` may have many globs, and each webhook asks. */
function cachedAccepts(accepts: Accepts, maxRepos = 10_000): Accepts {
  const known = new Map<string, boolean>();
  return (host, owner, name) => {
    const key = `${host}/${owner}/${name}`;
    const answer = known.get(key) ?? accepts(host, owner, name);
    if (known.size >= maxRepos) known.clear();
    known.set(key, answer);
    return answer;
  };
}

/** Queues the jobs that follow after a person has retried or cancelled a delivery. Its statuses are in the outbox. */
async function queueNextJobs({ queues }: Pick<Parts, "queues">, { id, state }: Delivery): Promise<void> {
  if (state === "queued") await queues.add("deliver", { delivery: id });
  await queues.add("announce", {});
}
