import express, { type RequestHandler, Router } from "express";
import type { Auth } from "../api/auth.ts";
import { rejectControlCharacters } from "../api/control-characters.ts";
import { type DeliveryView, deliveryView } from "../api/delivery-view.ts";
import { mapSequentially } from "../api/page-json.ts";
import { getDelivery, listDeliveries } from "../ledger/deliveries.ts";
import { describeRelease } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { readLog } from "../ledger/logs.ts";
import { listReleases } from "../ledger/releases.ts";
import { type ConcurrencyLimits, createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { html, type Markup } from "./html.ts";
import { sendPage } from "./page.ts";
import { releaseSection, releaseTable } from "./releases.ts";

/** Rows of each table on the overview. */
const MAX_ROWS = 50;
/** A page shows this much of a log, and links to the whole. */
const MAX_LOG_CHARS = 200_000;

/** Follows the log while the delivery is in progress. Without it, the page is complete but does not update. */
const FOLLOW_SCRIPT = `
const log = document.getElementById("log");
const source = new EventSource(log.dataset.events);
let began = false;
source.addEventListener("log", (event) => { if (!began) { log.textContent = ""; began = true; } log.textContent += event.data + "\\n"; });
source.addEventListener("end", () => { source.close(); location.reload(); });
`;

export interface WebOptions {
  ledger: Ledger;
  auth: Auth;
  /** The limits that the API and the pages share; own ones if left out. */
  limits?: ConcurrencyLimits;
}

/** The web pages: the overview, one page per delivery, and the sign-in page. */
export function webRoute({ ledger, auth, limits = createConcurrencyLimits() }: WebOptions): RequestHandler {
  const router = Router({ caseSensitive: true });
  router.use(rejectControlCharacters);
  router.get(
    "/",
    auth.page,
    limits.queries.handler(async (_request, response) => {
      const deliveries = await listDeliveries(ledger, { limit: MAX_ROWS });
      const releases = await listReleases(ledger, { limit: MAX_ROWS });
      sendPage(
        response,
        "Overview",
        html`<h1>Deliveries</h1>${deliveryTable(await mapSequentially(deliveries.items, (each) => deliveryView(ledger, each)))}
<h1>Releases</h1>${releaseTable(await mapSequentially(releases.items, (each) => describeRelease(ledger, each)))}`,
      );
    }),
  );
  router.get(
    "/deliveries/:id",
    auth.page,
    limits.queries.handler(async (request, response) => {
      const delivery = await getDelivery(ledger, String(request.params.id));
      if (delivery === null) {
        sendPage(response, "Not found", html`<h1>There is no delivery of this id.</h1>`, { status: 404 });
        return;
      }
      const view = await deliveryView(ledger, delivery);
      const { items } = await listReleases(ledger, { repoId: delivery.repoId, sha: delivery.sha, limit: MAX_ROWS });
      const releases = await mapSequentially(items, (each) => describeRelease(ledger, each));
      const isLive = view.finishedAt === null;
      const body = html`${heading(view)}${facts(view, delivery)}${artifacts(view)}<h2>Releases</h2>${releases.length === 0 ? html`<p>None yet.</p>` : releases.map(releaseSection)}
<h2>Log</h2><pre id="log" data-events="/api/v1/deliveries/${view.id}/log">${await logText(ledger, view.id)}</pre>
<p><a href="/api/v1/deliveries/${view.id}/log">The log as text</a></p>`;
      sendPage(response, `${view.repo} ${view.sha.slice(0, 7)}`, body, isLive ? { script: FOLLOW_SCRIPT } : {});
    }),
  );
  router.get("/sign-in", (request, response) => {
    sendPage(response, "Sign in", signInForm(localPath(request.query.to)));
  });
  // No compressed bodies: a few bytes of an unknown sender could become very many in memory.
  const form = express.urlencoded({ extended: false, limit: "16kb", inflate: false });
  router.post("/sign-in", form, (request, response) => {
    const { token, to } = (request.body ?? {}) as { token?: unknown; to?: unknown };
    const outcome = auth.signIn(typeof token === "string" ? token : "", request, response);
    if (outcome.kind === "signed-in") response.redirect(303, localPath(to));
    else if (outcome.kind === "wrong")
      sendPage(response, "Sign in", html`<p>That is not the token.</p>${signInForm(localPath(to))}`, { status: 401 });
    else {
      const seconds = Math.ceil(outcome.wait / 1000);
      response.set("retry-after", String(seconds));
      const said = html`<p>Too many attempts have failed. Try again in ${seconds} s.</p>`;
      sendPage(response, "Sign in", html`${said}${signInForm(localPath(to))}`, { status: 429 });
    }
  });
  return router;
}

/** A path on this server, or "/": a link to the sign-in page must not lead people to another site. */
function localPath(value: unknown): string {
  return typeof value === "string" && value.length <= 1_000 && /^\/(?![/\\])[^\p{Cc}]*$/u.test(value) ? value : "/";
}

function signInForm(to: string): Markup {
  return html`<h1>Sign in</h1><p>With the server's admin token: <code>adminToken</code> of its configuration, or the file <code>admin-token</code> in its data directory.</p>
<form method="post" action="/sign-in"><input type="hidden" name="to" value="${to}"><input type="password" name="token" autocomplete="current-password" aria-label="Token" autofocus required><button>Sign in</button></form>`;
}

function heading(view: DeliveryView): Markup {
  return html`<h1>${view.repo} <code>${view.sha.slice(0, 7)}</code> ${state(view.state)}</h1><p>${view.because}</p>`;
}

function facts(view: DeliveryView, { message, author }: { message: string; author: string }): Markup {
  const rows: [string, string | null][] = [
    ["Commit", view.sha],
    ["Message", message.split("\n", 1)[0] ?? ""],
    ["Author", author],
    ["Ref", view.ref],
    ["First seen", view.createdAt],
    ["Started", view.startedAt],
    ["Finished", view.finishedAt],
  ];
  return html`<table>${rows.map(([name, value]) => (value ? html`<tr><th>${name}</th><td>${value}</td></tr>` : null))}</table>`;
}

function artifacts(view: DeliveryView): Markup {
  if (view.artifacts.length === 0) return html``;
  return html`<h2>Stages</h2><table><tr><th>Artifact</th><th>Kind</th><th>State</th><th>Version</th><th>Digest</th></tr>
${view.artifacts.map((each) => html`<tr><td>${each.name}</td><td>${each.kind}</td><td>${state(each.state)}</td><td>${each.version}</td><td><code>${each.digest}</code></td></tr>`)}</table>`;
}

function deliveryTable(views: DeliveryView[]): Markup {
  if (views.length === 0) return html`<p>None yet. Point a webhook of your repo at this server, and push.</p>`;
  return html`<table><tr><th>Repo</th><th>Commit</th><th>State</th><th>Because</th><th>Seen</th></tr>
${views.map((view) => html`<tr><td>${view.repo}</td><td><a href="/deliveries/${view.id}"><code>${view.sha.slice(0, 7)}</code></a></td><td>${state(view.state)}</td><td>${view.because.split("\n", 1)[0] ?? ""}</td><td>${view.createdAt}</td></tr>`)}</table>`;
}

function state(name: string): Markup {
  return html`<span class="state ${name}">${name}</span>`;
}

async function logText(ledger: Ledger, id: string): Promise<string> {
  let text = "";
  for (let next = 1; text.length < MAX_LOG_CHARS; ) {
    const [chunk] = await readLog(ledger, id, next, 1);
    if (chunk === undefined) return text;
    text += chunk.text;
    next = chunk.seq + 1;
  }
  return `${text}\n… the rest is in the log as text`;
}
