import type { DeliveryView } from "../api/delivery-view.ts";
import { deliveryView } from "../api/delivery-view.ts";
import { type Why, whyOf } from "../api/why.ts";
import type { Release } from "../delivery/types.ts";
import { artifactsOf, type DeliveryArtifact } from "../ledger/artifacts.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { FINISHED_STATES } from "../ledger/deliveries.ts";
import { describeReleases } from "../ledger/describe-release.ts";
import { type Attempt, attemptsOf } from "../ledger/leases.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { releasesOfDelivery } from "../ledger/releases.ts";
import { storeTime } from "../ledger/sql.ts";
import { type Span, waterfall } from "./charts.ts";
import { html, type Markup } from "./html.ts";
import { logTail } from "./log.ts";
import type { Region } from "./regions.ts";
import { releaseSection } from "./releases.ts";
import { stateLabel, table } from "./table.ts";
import { bytes, firstLine } from "./text.ts";
import { ago } from "./times.ts";

/** Everything about one delivery, in regions. */
export async function deliveryRegions(ledger: Ledger, delivery: Delivery): Promise<Region[]> {
  const { id, repoId, sha } = delivery;
  const now = await storeTime(ledger);
  const view = await deliveryView(ledger, delivery);
  const attempts = await attemptsOf(ledger, id);
  const releases = await describeReleases(ledger, await releasesOfDelivery(ledger, id));
  return [
    { id: "title", body: titleOf(view, delivery, now) },
    { id: "time", body: html`<h2>Time</h2>${waterfall(spansOf(delivery, attempts), now)}` },
    { id: "artifacts", body: artifactsSection(view, await artifactsOf(ledger, id)) },
    { id: "releases", body: releasesSection(releases) },
    { id: "log-tail", body: await logTail(ledger, id) },
    { id: "decisions", body: decisionsSection(await whyOf(ledger, repoId, sha)) },
    { id: "facts", body: html`<h2>Commit</h2>${facts(view, delivery)}` },
  ];
}

function titleOf(view: DeliveryView, { message, author }: Delivery, now: number): Markup {
  const { repo, sha, state, because, createdAt } = view;
  return html`<h1>${stateLabel(state)} ${repo} <code>${sha.slice(0, 7)}</code></h1>
<p class="because">${because}</p><p class="muted">${firstLine(message)} · ${author} · seen ${ago(Date.parse(createdAt), now)}</p>`;
}

/** From the first hint to the end: waiting until the first attempt, and each attempt. */
function spansOf(delivery: Delivery, attempts: Attempt[]): Span[] {
  const { createdAt, finishedAt, state } = delivery;
  const [first] = attempts;
  const waited: Span = {
    name: state === "waiting" && first === undefined ? "waiting for CI" : "before the first attempt",
    text: "",
    ...{ from: createdAt, to: first?.startedAt ?? finishedAt, tone: "idle" },
  };
  return [
    waited,
    ...attempts.map(({ number, startedAt, endedAt, outcome, message }): Span => {
      const tone = outcome === null ? "busy" : outcome === "done" || outcome === "prepared" ? "good" : "bad";
      const text = outcome === null ? "under way" : [outcome, firstLine(message ?? "")].filter(Boolean).join(": ");
      return { name: `attempt ${number}`, text, from: startedAt, to: endedAt, tone };
    }),
  ];
}

function artifactsSection(view: DeliveryView, rows: DeliveryArtifact[]): Markup {
  if (view.artifacts.length === 0) return html``;
  const cells = view.artifacts.map(({ name, kind, state, version, digest }) => {
    const row = rows.find((each) => each.name === name);
    const size = row?.size == null ? "" : bytes(row.size);
    return [name, kind, html`${stateLabel(state)} ${row?.because ?? ""}`, version, size, html`<code>${digest}</code>`];
  });
  const headings = ["Artifact", "Kind", "State", "Version", "Size", "Digest"];
  return html`<h2>Artifacts</h2>${table("The artifacts of this delivery", headings, cells)}`;
}

function releasesSection(releases: Release[]): Markup {
  return html`<h2>Releases</h2>${releases.length === 0 ? html`<p>None yet.</p>` : releases.map(releaseSection)}`;
}

function decisionsSection({ events }: Why): Markup {
  if (events.length === 0) return html``;
  const rows = events.map(({ at, kind, text }) => [html`<time datetime="${at}">${at}</time>`, kind, text]);
  const list = table("Everything on record about the commit", ["At", "Event", "What"], rows);
  return html`<h2>Decisions</h2><details id="decision-list"><summary>${events.length} events, the last: ${events.at(-1)?.text}</summary>${list}</details>`;
}

function facts(view: DeliveryView, { message, author }: Delivery): Markup {
  const rows: [string, string | null][] = [
    ["Commit", view.sha],
    ["Message", message],
    ["Author", author],
    ["Ref", view.ref],
    ["First seen", view.createdAt],
    ["Started", view.startedAt],
    ["Finished", view.finishedAt],
  ];
  const known = rows.filter(([, value]) => value);
  return html`<table><caption>The commit</caption><tbody>${known.map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="because">${value}</td></tr>`)}</tbody></table>`;
}

const RETRYABLE: readonly Delivery["state"][] = ["failed", "cancelled", "superseded"];

/**
 * Buttons for what a person may do now, as forms that work without a script.
 * @param token of the session's forms; null: there is no session
 */
export function actions({ id, state, naming }: Delivery, token: string | null): Markup {
  if (token === null) return html``;
  const form = (action: string, label: string) =>
    html`<form class="plain" method="post" action="/deliveries/${id}/${action}"><input type="hidden" name="form" value="${token}"><button>${label}</button></form>`;
  const retry = RETRYABLE.includes(state) ? form("retry", "Try again") : null;
  const cancel = !FINISHED_STATES.includes(state) && naming === null ? form("cancel", "Cancel") : null;
  return html`<div class="actions">${retry}${cancel}</div>`;
}
