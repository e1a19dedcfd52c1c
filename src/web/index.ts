import { type Request, type RequestHandler, type Response, Router } from "express";
import type { Auth } from "../api/auth.ts";
import { rejectControlCharacters } from "../api/control-characters.ts";
import { deliveryView } from "../api/delivery-view.ts";
import { mapSequentially } from "../api/page-json.ts";
import { quoted } from "../delivery/printable.ts";
import { getDelivery, listDeliveries } from "../ledger/deliveries.ts";
import { describeRelease } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { readLog } from "../ledger/logs.ts";
import { listReleases } from "../ledger/releases.ts";
import { type ConcurrencyLimits, createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { deliveryPage, deliveryTable } from "./deliveries.ts";
import { html } from "./html.ts";
import { sendPage } from "./page.ts";
import { releaseTable } from "./releases.ts";
import { type SetUpOptions, setUpRoute } from "./set-up-app.ts";
import { signInRoute } from "./sign-in.ts";

/** Rows of each table on the overview. */
const MAX_ROWS = 50;
/** A page shows this much of a log, and links to the whole. */
const MAX_LOG_CHARS = 200_000;

/** Follows the log while the delivery is in progress. Without it, the page is complete but does not update. */
const FOLLOW_SCRIPT = `
const log = document.getElementById("log");
const source = new EventSource(log.dataset.events);
let began = false;
source.addEventListener("log", (event) => {
  if (!began) log.textContent = "";
  began = true;
  log.textContent += event.data + "\\n";
});
source.addEventListener("end", () => { source.close(); location.reload(); });
`;

export interface WebOptions {
  ledger: Ledger;
  auth: Auth;
  /** What a GitHub App is set up with; left out: nobody can set one up here. */
  setUp?: SetUpOptions;
  /** The limits that the API and the pages share; own ones if left out. */
  limits?: ConcurrencyLimits;
}

/** The web pages: the overview, one page per delivery, the sign-in page, and those that set up a GitHub App. */
export function webRoute({ ledger, auth, setUp, limits = createConcurrencyLimits() }: WebOptions): RequestHandler {
  const router = Router({ caseSensitive: true });
  router.use(rejectControlCharacters);
  router.get(
    "/",
    auth.page,
    limits.queries.handler((_request, response) => sendOverview(ledger, response)),
  );
  router.get(
    "/deliveries/:id",
    auth.page,
    limits.queries.handler((request, response) => sendDelivery(ledger, request, response)),
  );
  router.use(signInRoute(auth, ledger));
  if (setUp !== undefined) router.use(setUpRoute(setUp, auth, limits));
  return router;
}

async function sendOverview(ledger: Ledger, response: Response): Promise<void> {
  const { items: deliveries } = await listDeliveries(ledger, { limit: MAX_ROWS });
  const { items: releases } = await listReleases(ledger, { limit: MAX_ROWS });
  const deliveryViews = await mapSequentially(deliveries, (each) => deliveryView(ledger, each));
  const releaseViews = await mapSequentially(releases, (each) => describeRelease(ledger, each));
  const body = html`<h1>Deliveries</h1>${deliveryTable(deliveryViews)}
<h1>Releases</h1>${releaseTable(releaseViews)}`;
  sendPage(response, "Overview", body);
}

async function sendDelivery(ledger: Ledger, request: Request, response: Response): Promise<void> {
  const id = String(request.params.id);
  const delivery = await getDelivery(ledger, id);
  if (delivery === null) {
    sendPage(response, "Not found", html`<h1>There is no delivery ${quoted(id)}.</h1>`, { status: 404 });
    return;
  }
  const view = await deliveryView(ledger, delivery);
  const { items } = await listReleases(ledger, { repoId: delivery.repoId, sha: delivery.sha, limit: MAX_ROWS });
  const releases = await mapSequentially(items, (each) => describeRelease(ledger, each));
  const body = deliveryPage(view, delivery, releases, await readLogStart(ledger, view.id));
  const options = view.finishedAt === null ? { script: FOLLOW_SCRIPT } : {};
  sendPage(response, `${view.repo} ${view.sha.slice(0, 7)}`, body, options);
}

/** The beginning of a log, with a note if there is more. */
async function readLogStart(ledger: Ledger, id: string): Promise<string> {
  let text = "";
  for (let next = 1; text.length < MAX_LOG_CHARS; ) {
    const [chunk] = await readLog(ledger, id, next, 1);
    if (chunk === undefined) return text;
    text += chunk.text;
    next = chunk.seq + 1;
  }
  return `${text}\n… the rest is in the log as text`;
}
