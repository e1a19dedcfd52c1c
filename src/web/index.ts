import express, { type Request, type RequestHandler, type Response, Router } from "express";
import * as z from "zod";
import { actorOf } from "../api/actor.ts";
import type { Auth } from "../api/auth.ts";
import { type ChangeOptions, cancelDelivery, retryFailed } from "../api/change-delivery.ts";
import { rejectControlCharacters } from "../api/control-characters.ts";
import { deliveryViews } from "../api/delivery-view.ts";
import { repoFilter } from "../api/queried-repo.ts";
import { deliveryState, paging, parseQuery, repoName } from "../api/query.ts";
import { findReleasePage, RELEASE_QUERY } from "../api/releases.ts";
import { quoted } from "../delivery/printable.ts";
import { type Delivery, FINISHED_STATES, getDelivery, listDeliveries } from "../ledger/deliveries.ts";
import { describeReleases } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { storeTime } from "../ledger/sql.ts";
import { type ConcurrencyLimits, createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { openAssets } from "./assets/serve.ts";
import { deliveryFilter, deliveryTable } from "./deliveries.ts";
import { actions, deliveryRegions } from "./delivery.ts";
import { eventRoute, type RenderTopic } from "./events.ts";
import { html, type Markup } from "./html.ts";
import { sendLogPage } from "./log-page.ts";
import { nowRegions } from "./now.ts";
import { createSendPage, type SendPage } from "./page.ts";
import { regionMarkup } from "./regions.ts";
import { releaseFilter, releaseTable } from "./releases.ts";
import { type SetUpOptions, setUpRoute } from "./set-up-app.ts";
import { signInRoute } from "./sign-in.ts";

export interface WebOptions {
  ledger: Ledger;
  auth: Auth;
  statuses: ChangeOptions["statuses"];
  onDeliveryChanged: ChangeOptions["onDeliveryChanged"];
  /** What a GitHub App is set up with; left out: nobody can set one up here. */
  setUp?: SetUpOptions;
  /** The limits that the API and the pages share; own ones if left out. */
  limits?: ConcurrencyLimits;
}

const DELIVERY_QUERY = z.object({ repo: repoName.optional(), state: deliveryState.optional(), ...paging });

/** The web pages. Each is complete without a script. */
export function webRoute(options: WebOptions): RequestHandler {
  const { ledger, auth, setUp, limits = createConcurrencyLimits() } = options;
  const assets = openAssets();
  const send = createSendPage(auth, assets);
  const router = Router({ caseSensitive: true });
  router.use(rejectControlCharacters);
  router.use(assets.router);
  const page = (work: (request: Request, response: Response) => Promise<void>) => limits.queries.handler(work);
  router.get(
    "/",
    auth.page,
    page(async (request, response) => {
      const body = (await nowRegions(ledger)).map(regionMarkup);
      const isWall = request.query.tv === "1";
      await send(request, response, { title: "Now", body: html`<h1>Now</h1>${body}`, topic: "now", isWall });
    }),
  );
  router.get(
    "/deliveries",
    auth.page,
    page((request, response) => sendDeliveries(ledger, send, request, response)),
  );
  router.get(
    "/deliveries/:id",
    auth.page,
    page((request, response) => sendDelivery(options, send, request, response)),
  );
  router.get(
    "/deliveries/:id/log",
    auth.page,
    limits.downloads.handler(async (request, response) => {
      const delivery = await findDelivery(ledger, send, request, response);
      if (delivery !== null) await sendLogPage({ ledger, auth, assets }, delivery, request, response);
    }),
  );
  router.get(
    "/releases",
    auth.page,
    page((request, response) => sendReleases(ledger, send, request, response)),
  );
  const form = express.urlencoded({ extended: false, limit: "16kb", inflate: false });
  const change = (work: typeof cancelDelivery) =>
    page(async (request, response) => {
      const delivery = await findDelivery(ledger, send, request, response);
      if (delivery === null) return;
      await work(options, delivery, actorOf(auth, request));
      response.redirect(303, `/deliveries/${delivery.id}`);
    });
  router.post("/deliveries/:id/cancel", form, auth.form, change(cancelDelivery));
  router.post("/deliveries/:id/retry", form, auth.form, change(retryFailed));
  router.use(eventRoute(auth, limits, topicsOf(ledger)));
  router.use(signInRoute({ auth, ledger, send }));
  if (setUp !== undefined) router.use(setUpRoute(setUp, { auth, limits, send }));
  return router;
}

function topicsOf(ledger: Ledger): RenderTopic {
  return async (topic) => {
    if (topic === "now") return nowRegions(ledger);
    const id = /^delivery:([a-z0-9]+)$/.exec(topic)?.[1];
    const delivery = id === undefined ? null : await getDelivery(ledger, id);
    return delivery === null ? null : deliveryRegions(ledger, delivery);
  };
}

async function sendDelivery({ ledger, auth }: WebOptions, send: SendPage, request: Request, response: Response) {
  const delivery = await findDelivery(ledger, send, request, response);
  if (delivery === null) return;
  const { id, sha, state } = delivery;
  const [title, ...rest] = (await deliveryRegions(ledger, delivery)).map(regionMarkup);
  const buttons = actions(delivery, auth.formTokenOf(request));
  const topic = FINISHED_STATES.includes(state) ? undefined : `delivery:${id}`;
  await send(request, response, { title: `${state} ${sha.slice(0, 7)}`, body: html`${title}${buttons}${rest}`, topic });
}

/** The delivery that the path names. Null: a page was sent that says that there is none. */
async function findDelivery(
  ledger: Ledger,
  send: SendPage,
  request: Request,
  response: Response,
): Promise<Delivery | null> {
  const id = String(request.params.id);
  const delivery = await getDelivery(ledger, id);
  if (delivery === null)
    await send(request, response, {
      title: "Not found",
      body: html`<h1>There is no delivery ${quoted(id)}.</h1>`,
      status: 404,
    });
  return delivery;
}

async function sendDeliveries(ledger: Ledger, send: SendPage, request: Request, response: Response): Promise<void> {
  const query = parseQuery(DELIVERY_QUERY, request);
  const filter = await repoFilter(ledger, query.repo);
  const { state, cursor, limit } = query;
  const page =
    filter === null ? { items: [], next: null } : await listDeliveries(ledger, { ...filter, state, cursor, limit });
  const views = await deliveryViews(ledger, page.items);
  const body = html`<h1>Deliveries</h1>${deliveryFilter(query)}${deliveryTable(views, await storeTime(ledger))}${older(request, page.next)}`;
  await send(request, response, { title: "Deliveries", body });
}

async function sendReleases(ledger: Ledger, send: SendPage, request: Request, response: Response): Promise<void> {
  const query = parseQuery(RELEASE_QUERY, request);
  const page = await findReleasePage(ledger, query);
  const { q, repo, artifact, branch, version } = query;
  const releases = await describeReleases(ledger, page.items);
  const body = html`<h1>Releases</h1>${releaseFilter({ q, repo, artifact, branch, version })}
${releaseTable(releases, await storeTime(ledger))}${older(request, page.next)}`;
  await send(request, response, { title: "Releases", body });
}

/** The link to the rest of a list, with the same filter. */
function older(request: Request, next: string | null): Markup {
  if (next === null) return html``;
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(request.query)) if (typeof value === "string") query.set(key, value);
  query.set("cursor", next);
  return html`<p><a class="button" href="${request.path}?${query.toString()}">Older</a></p>`;
}
