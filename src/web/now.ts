import { type DeliveryView, deliveryViews } from "../api/delivery-view.ts";
import { workerViews } from "../api/operations.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { repoNames } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { barsOfRepos, medianDuration, openDeliveries, recentAlarms, unresolvedFailures } from "../ledger/now.ts";
import { listReleases } from "../ledger/releases.ts";
import { storeTime } from "../ledger/sql.ts";
import { barChart } from "./charts.ts";
import { html, type Markup } from "./html.ts";
import type { Region } from "./regions.ts";
import { stateLabel, table } from "./table.ts";
import { firstLine } from "./text.ts";
import { ago, duration, since } from "./times.ts";

const WEEK = 7 * 24 * 60 * 60_000;
/** A screen has room for so many. */
const MAX_OPEN = 40;
const MAX_ALARMS = 12;
const MAX_RELEASES = 20;
const MAX_REPOS = 12;
const BARS = 30;

/** What happens now, in regions. */
export async function nowRegions(ledger: Ledger): Promise<Region[]> {
  const now = await storeTime(ledger);
  const open = await openDeliveries(ledger, MAX_OPEN);
  const failed = await unresolvedFailures(ledger, WEEK, MAX_ALARMS);
  const alarms = await alarmCards(ledger, failed, now);
  const { items: releases } = await listReleases(ledger, { limit: MAX_RELEASES });
  const names = await repoNames(
    ledger,
    releases.map(({ repoId }) => repoId),
  );
  const [last] = releases;
  const lastText =
    last &&
    html`Last released: <a href="/deliveries/${last.deliveryId}">${last.artifact} ${last.version}</a>, ${ago(last.releasedAt, now)}.`;
  return [
    {
      id: "summary",
      body: html`<p class="lead">${summary(open, alarms.length)} ${lastText ?? "Nothing was released yet."}</p>`,
    },
    {
      id: "alarms",
      body: alarms.length === 0 ? html`` : html`<h2>Needs a person</h2><ul class="cards">${alarms}</ul>`,
    },
    { id: "in-flight", body: html`<h2>In flight</h2>${await inFlight(ledger, open, now)}` },
    {
      id: "released",
      body: html`<h2>Released last</h2>${
        releases.length === 0
          ? html`<p>Nothing yet. Point a webhook of your repo at this server, and push.</p>`
          : table(
              "The last releases",
              ["Artifact", "Version", "Repo", "Released"],
              releases.map(({ artifact, version, deliveryId, repoId, releasedAt }) => [
                artifact,
                html`<a href="/deliveries/${deliveryId}">${version}</a>`,
                names.get(repoId) ?? repoId,
                ago(releasedAt, now),
              ]),
            )
      }`,
    },
    { id: "workers", body: html`<h2>Workers</h2>${await workers(ledger)}` },
    { id: "repos", body: await repos(ledger) },
  ];
}

/** What is in flight, in one sentence. */
function summary(open: Delivery[], alarms: number): string {
  const count = (...states: Delivery["state"][]) => open.filter(({ state }) => states.includes(state)).length;
  const parts = [
    [count("building", "publishing"), "is being delivered", "are being delivered"],
    [count("queued"), "waits for a worker", "wait for a worker"],
    [count("waiting"), "waits for CI", "wait for CI"],
    [alarms, "needs a person", "need a person"],
  ] as const;
  const said = parts.filter(([n]) => n > 0).map(([n, one, many]) => `${n} ${n === 1 ? one : many}`);
  const and = open.length >= MAX_OPEN ? " (of the newest)" : "";
  return said.length === 0
    ? "All is quiet: nothing is in flight, and nothing needs a person."
    : `${said.join(", ")}${and}.`;
}

async function alarmCards(ledger: Ledger, failed: Delivery[], now: number): Promise<Markup[]> {
  const drift = await recentAlarms(ledger, WEEK, MAX_ALARMS);
  const names = await repoNames(
    ledger,
    [...failed, ...drift].map(({ repoId }) => repoId),
  );
  return [
    ...failed.map(
      ({
        id,
        repoId,
        sha,
        because,
        message,
        finishedAt,
        createdAt,
      }) => html`<li class="card alarm"><p>${stateLabel("failed")} <a href="/deliveries/${id}">${names.get(repoId) ?? repoId} <code>${sha.slice(0, 7)}</code></a></p>
<p>${firstLine(because)}</p><p><small>${firstLine(message)} · ${ago(finishedAt ?? createdAt, now)}</small></p></li>`,
    ),
    ...drift.map(
      ({
        repoId,
        sha,
        at,
        because,
      }) => html`<li class="card alarm"><p><span class="state bad"><span aria-hidden="true">⚠</span> changed name</span> ${names.get(repoId) ?? repoId} <code>${sha.slice(0, 7)}</code></p>
<p>${because}</p><p><small>${ago(at, now)}</small></p></li>`,
    ),
  ];
}

async function inFlight(ledger: Ledger, open: Delivery[], now: number): Promise<Markup> {
  if (open.length === 0) return html`<p>Nothing.</p>`;
  const median = await medianDuration(ledger);
  const views = await deliveryViews(ledger, open);
  const cards = open.map((delivery, index) => {
    const { id, state, because, message, author, sha } = delivery;
    const usual = delivery.startedAt !== null && median !== null ? ` (usually ${duration(median)} in all)` : "";
    return html`<li class="card"><p>${stateLabel(state)} for ${since(stageBegan(delivery), now)}${usual}</p>
<p><a href="/deliveries/${id}">${views[index]?.repo} <code>${sha.slice(0, 7)}</code></a> ${firstLine(message)}</p>
<p>${firstLine(because)}</p><p><small>${author}${artifactsOf(views[index])}</small></p></li>`;
  });
  return html`<ul class="cards">${cards}</ul>`;
}

function artifactsOf(view: DeliveryView | undefined): string {
  const all = view?.artifacts.map(({ name, state }) => `${name} ${state}`) ?? [];
  return all.length === 0 ? "" : ` · ${all.join(", ")}`;
}

/** When the delivery entered its state, as far as is known. */
function stageBegan({ state, waitingSince, startedAt, updatedAt, createdAt }: Delivery): number {
  if (state === "waiting") return waitingSince ?? createdAt;
  if (state === "building") return startedAt ?? updatedAt;
  return updatedAt;
}

async function workers(ledger: Ledger): Promise<Markup> {
  const all = await workerViews(ledger);
  if (all.length === 0) return html`<p class="bad">No worker is there: nothing is built or published.</p>`;
  return table(
    "The workers that are there",
    ["Machine", "Slots", "Works on"],
    all.map(({ machine, slots, deliveries }) => [
      machine,
      `${slots.busy} of ${slots.total} busy${slots.ahead > 0 ? `, ${slots.ahead} ahead of CI` : ""}`,
      deliveries.map(
        ({ id, repo, sha }) => html`<a href="/deliveries/${id}">${repo} <code>${sha.slice(0, 7)}</code></a> `,
      ),
    ]),
  );
}

async function repos(ledger: Ledger): Promise<Markup> {
  const all = (await barsOfRepos(ledger, MAX_REPOS, BARS)).filter(({ bars }) => bars.length > 0);
  if (all.length === 0) return html``;
  const names = await repoNames(
    ledger,
    all.map(({ repoId }) => repoId),
  );
  const cards = all.map(({ repoId, bars }) => {
    const name = names.get(repoId) ?? repoId;
    return html`<li class="card"><p><a href="/deliveries?repo=${encodeURIComponent(name)}">${name}</a></p>${barChart(bars, `The last ${bars.length} deliveries of ${name}`)}</li>`;
  });
  return html`<h2>Repos</h2><ul class="cards">${cards}</ul>`;
}
