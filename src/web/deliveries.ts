import type { DeliveryView } from "../api/delivery-view.ts";
import type { Release } from "../delivery/types.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import { html, type Markup } from "./html.ts";
import { releaseSection } from "./releases.ts";
import { stateLabel, table } from "./table.ts";

/** A table with one row per delivery. */
export function deliveryTable(views: DeliveryView[]): Markup {
  if (views.length === 0) return html`<p>None yet. Point a webhook of your repo at this server, and push.</p>`;
  return table(
    ["Repo", "Commit", "State", "Because", "Seen"],
    views.map(({ id, repo, sha, state, because, createdAt }) => [
      repo,
      html`<a href="/deliveries/${id}"><code>${sha.slice(0, 7)}</code></a>`,
      stateLabel(state),
      firstLine(because),
      createdAt,
    ]),
  );
}

/** The page of one delivery. @param log the beginning of its log */
export function deliveryPage(view: DeliveryView, delivery: Delivery, releases: Release[], log: string): Markup {
  const { id, repo, sha, state, because } = view;
  const logPath = `/api/v1/deliveries/${id}/log`;
  return html`<h1>${repo} <code>${sha.slice(0, 7)}</code> ${stateLabel(state)}</h1><p class="because">${because}</p>
${facts(view, delivery)}${artifacts(view)}
<h2>Releases</h2>${releases.length === 0 ? html`<p>None yet.</p>` : releases.map(releaseSection)}
<h2>Log</h2><pre id="log" data-events="${logPath}">${log}</pre>
<p><a href="${logPath}">The log as text</a></p>`;
}

function facts(view: DeliveryView, { message, author }: Delivery): Markup {
  const rows: [string, string | null][] = [
    ["Commit", view.sha],
    ["Message", firstLine(message)],
    ["Author", author],
    ["Ref", view.ref],
    ["First seen", view.createdAt],
    ["Started", view.startedAt],
    ["Finished", view.finishedAt],
  ];
  const known = rows.filter(([, value]) => value);
  return html`<table>${known.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`)}</table>`;
}

function artifacts(view: DeliveryView): Markup {
  if (view.artifacts.length === 0) return html``;
  const rows = view.artifacts.map(({ name, kind, state, version, digest }) => {
    return [name, kind, stateLabel(state), version, html`<code>${digest}</code>`];
  });
  return html`<h2>Stages</h2>${table(["Artifact", "Kind", "State", "Version", "Digest"], rows)}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
