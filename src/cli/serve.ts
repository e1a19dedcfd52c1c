import { isDiskNearlyFull } from "../../workers/sweep/housekeeping.ts";
import { createAuth } from "../api/auth.ts";
import { apiRoute } from "../api/index.ts";
import { matchRepo } from "../delivery/bounds.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { holdDuty } from "../ledger/duties.ts";
import { ASKED_EVENT, addHints, countPendingHints, createHintWriter, type NewHint } from "../ledger/hints.ts";
import { findRepo } from "../ledger/repos.ts";
import { failpoint } from "../observe/failpoints.ts";
import { createEnqueuer } from "../queue/enqueuer.ts";
import { createApp, type Listening, listen } from "../receiver/app.ts";
import { createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { type HealthCheck, healthRoute } from "../receiver/health.ts";
import { createInbox } from "../receiver/inbox.ts";
import { Problem } from "../receiver/problem.ts";
import { webhookRoute } from "../receiver/webhooks.ts";
import { openRegistries } from "../registries/index.ts";
import { webRoute } from "../web/index.ts";
import type { Parts } from "./parts.ts";

/** Serves all HTTP: webhooks, health, API and pages. */
export async function serve(parts: Parts): Promise<Listening> {
  const { config, ledger, log, metrics, queues } = parts;
  const keep = createHintWriter(ledger);
  const inbox = createInbox(async (hints) => {
    failpoint("receiver.before-commit");
    await keep(hints);
    failpoint("receiver.committed");
  });
  metrics.gauge("deliverd_inbox_pending", "Hints taken and not yet committed.", () => inbox.pending());
  const answers = metrics.counter("deliverd_webhooks_total", "Answers given to webhook requests.");
  const accepts = remembered((host, owner, name) => matchRepo(config.repos, { host, owner, name }) !== null);
  const evaluations = createEnqueuer(queues, "evaluate", { isBusy: () => inbox.pending() > 0 });
  metrics.gauge("deliverd_evaluations_waiting", "Evaluations not handed to Redis yet.", () => evaluations.waiting());
  const onHints = (hints: NewHint[]) => {
    for (const hint of hints) evaluations.add(jobOf(hint));
  };
  const auth = createAuth({
    adminToken: parts.adminToken,
    anonymous: config.anonymous,
    secureCookie: config.publicUrl.startsWith("https:"),
    log,
  });
  const limits = createConcurrencyLimits();
  // With connections of their own: clients that take a content slowly hold no connection that publishing needs.
  const registries = await openRegistries(config.registries, { store: parts.store });
  const app = createApp({
    webhooks: webhookRoute({
      hosts: parts.hosts,
      accepts,
      inbox,
      onHints,
      onAnswer(host, status) {
        answers.add({ host, status: String(status) });
        failpoint("receiver.answered");
      },
      log,
    }),
    health: healthRoute({ checks: healthChecks(parts), metrics, log }),
    api: apiRoute({
      ledger,
      auth,
      registries,
      limits,
      requestCommit: (repo, sha) => ask(parts, accepts, repo, sha).then(onHints),
      isConfigured: (repo) => isWanted(parts, accepts, repo),
      statuses: parts,
      onDeliveryChanged: (delivery) => void wake(parts, delivery),
    }),
    web: webRoute({ ledger, auth, limits }),
    log,
  });
  const listening = await listen(app, { port: config.port });
  log.info("listening", { port: listening.port, publicUrl: config.publicUrl });
  return listening;
}

/** A worker by itself answers only for its own health. */
export async function serveHealth(parts: Parts): Promise<Listening> {
  const app = createApp({
    health: healthRoute({ checks: healthChecks(parts), metrics: parts.metrics, log: parts.log }),
    log: parts.log,
  });
  return listen(app, { port: parts.config.workerPort });
}

function healthChecks({ config, ledger, queues }: Parts): HealthCheck[] {
  return [
    // A full disk still reads: only a write shows that webhooks can be kept.
    { name: "ledger", vital: true, check: () => holdDuty(ledger, `readiness ${process.pid}`, "receiver", 1_000) },
    {
      name: "disk",
      vital: false,
      check: async () => {
        if (await isDiskNearlyFull(config.dataDir))
          throw new Error(`little room is left on the disk of ${config.dataDir}`);
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

/** One job for a commit, however many events tell of it; a ref by itself only where no commit is named. */
function jobOf({ repo, sha, ref }: NewHint) {
  return { repo: repo.id, sha, ref: sha === null ? ref : null };
}

type Accepts = (host: string, owner: string, name: string) => boolean;

/** Asks once a repo, and not for each of its webhooks: `repos` may have many globs. */
function remembered(accepts: Accepts, most = 10_000): Accepts {
  const known = new Map<string, boolean>();
  return (host, owner, name) => {
    const key = `${host}/${owner}/${name}`;
    const answer = known.get(key) ?? accepts(host, owner, name);
    if (known.size >= most) known.clear();
    known.set(key, answer);
    return answer;
  };
}

/** A person's request as a hint. The repo may be new to the ledger: then the host is asked who it is. */
async function ask({ ledger, hosts }: Parts, accepts: Accepts, name: string, sha: string): Promise<NewHint[]> {
  const known = await findRepo(ledger, name);
  if (known.length > 1) throw new Problem(409, `Several hosts have a repo ${name}: write <host>/<owner>/<name>.`);
  const repo = known[0] ?? (await repoAtHosts(hosts, name));
  if (repo === null) throw new Problem(404, `No configured host shows a repo ${name}.`);
  if (!accepts(repo.host, repo.owner, repo.name)) {
    throw new Problem(
      422,
      `${repo.host}/${repo.owner}/${repo.name} is in no entry of repos in the server's configuration.`,
    );
  }
  const { id, host, owner, defaultBranch } = repo;
  const hint = {
    repo: { id, host, owner, name: repo.name, defaultBranch },
    event: ASKED_EVENT,
    deliveryId: "",
    ref: null,
    sha,
  };
  await addHints(ledger, [hint]);
  return [hint];
}

function isWanted({ hosts }: Parts, accepts: Accepts, name: string): boolean {
  const [repo = "", owner = "", key] = name.split("/").reverse();
  return (key === undefined ? [...hosts.keys()] : [key]).some((host) => accepts(host, owner, repo));
}

async function repoAtHosts(hosts: Parts["hosts"], name: string): Promise<NewHint["repo"] | null> {
  const parts = name.split("/");
  const [owner = "", repo = ""] = parts.slice(-2);
  // Neither has anything else in it at any host, and it becomes part of a path there.
  if (parts.length > 3 || ![owner, repo].every((part) => /^(?!\.{1,2}$)[\w.-]+$/.test(part))) return null;
  for (const [key, host] of hosts) {
    if (parts.length === 3 && parts[0] !== key) continue;
    const found = await host.findRepo(owner, repo);
    if (found !== null)
      return {
        id: `${key}:${found.hostId}`,
        host: key,
        owner: found.owner,
        name: found.name,
        defaultBranch: found.defaultBranch,
      };
  }
  return null;
}

/** Queues what follows from a person's decision. The statuses are in the outbox already. */
async function wake({ queues }: Pick<Parts, "queues">, { id, state }: Delivery): Promise<void> {
  if (state === "queued") await queues.add("deliver", { delivery: id });
  await queues.add("announce", {});
}
