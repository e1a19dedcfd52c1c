import { type Request, type Response, Router } from "express";
import { actorOf } from "../api/actor.ts";
import type { Auth } from "../api/auth.ts";
import { Refused, TransientError } from "../delivery/errors.ts";
import type { AppSetup, MadeApp } from "../hosts/app-setup.ts";
import type { Actor } from "../ledger/audit.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { createFormState, type FormState } from "./form-state.ts";
import { html, type Markup } from "./html.ts";
import type { SendPage } from "./page.ts";

/** A host that deliverd can be set up at as an App. */
export interface SetUpHost {
  setup: AppSetup;
  webhookUrl: string;
  /** Owners that `repos` names. */
  owners: string[];
  /** False: the host is elsewhere, and `publicUrl` leads to this machine only. */
  isReachable: boolean;
}

export interface SetUpOptions {
  /** Those of the type `github`, by their key under `hosts`. */
  hosts: ReadonlyMap<string, SetUpHost>;
  publicUrl: string;
  adminToken: string;
  /** Keeps the App's secrets in files that only this server can read. @returns their paths */
  save(app: MadeApp, by: Actor): Promise<{ privateKey: string; webhookSecret: string }>;
}

const PATH = "/setup/github";
const CALLBACK = `${PATH}/callback`;

/**
 * GitHub makes an App from a form that this page has filled in, and sends the person back with a code, which is
 * exchanged for the App's secrets. Only an administrator who is signed in can do that. A link of another site does
 * nothing: the page that GitHub leads to sends the code on by a form of its own.
 */
export function setUpRoute(
  options: SetUpOptions,
  { auth, limits, send }: { auth: Auth; limits: ConcurrencyLimits; send: SendPage },
): Router {
  const router = Router({ caseSensitive: true });
  const state = createFormState(options.adminToken);
  router.get("/setup/github", auth.adminPage, (request, response) =>
    sendForms({ ...options, send }, state, request, response),
  );
  router.get("/setup/github/callback", (request, response) => sendOn(send, state, request, response));
  router.post(
    "/setup/github/callback",
    auth.adminPage,
    limits.queries.handler((request, response) =>
      finish({ ...options, send }, state, actorOf(auth, request), request, response),
    ),
  );
  return router;
}

type Sending = SetUpOptions & { send: SendPage };

async function sendForms(options: Sending, state: FormState, request: Request, response: Response): Promise<void> {
  const wanted = text(request.query.host);
  const [key, host] = [...options.hosts].find(([name]) => wanted === "" || name === wanted) ?? [];
  if (key === undefined || host === undefined) {
    await sendError(options.send, request, response, 404, "No host of the type github is configured under this key.");
    return;
  }
  const own = text(request.query.organisation);
  if (own !== "" && !/^[A-Za-z0-9][A-Za-z0-9-]{0,38}$/.test(own)) {
    await sendError(options.send, request, response, 400, "That is not the name of an organisation on GitHub.");
    return;
  }
  const body = host.isReachable ? forms(options, state, key, host, own) : outOfReach(options.publicUrl);
  const title = html`<h1>Set up a GitHub App for hosts.${key}</h1>`;
  await options.send(request, response, {
    ...{ title: "Set up a GitHub App", body: html`${title}${body}`, formTarget: host.setup.origin },
  });
}

function outOfReach(publicUrl: string): Markup {
  return html`<p>GitHub cannot reach ${publicUrl}, which leads to this machine only. Set <code>publicUrl</code> to the
address under which GitHub reaches this server, restart it, and come back.</p>`;
}

function forms(
  { publicUrl, hosts }: SetUpOptions,
  state: FormState,
  key: string,
  { setup, webhookUrl, owners }: SetUpHost,
  own: string,
): Markup {
  const formFor = (organisation: string | null, label: string) => {
    const order = { organisation, publicUrl, webhookUrl, returnUrl: `${publicUrl}${CALLBACK}`, state: state.mint(key) };
    const { action, fields } = setup.form(order);
    const hidden = Object.entries(fields).map(
      ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
    );
    return html`<form method="post" action="${action}">${hidden}<button>${label}</button></form>`;
  };
  const organisations = [...new Set([...(own === "" ? [] : [own]), ...owners])];
  const others = [...hosts.keys()].filter((other) => other !== key);
  return html`${setup.current === null ? null : html`<p>It is the App ${setup.current} now. A new App takes its place.</p>`}
<p>GitHub asks for the name of the App, and makes it with the permissions and events that deliverd needs. Then it leads
back here. An App belongs to the organisation whose repos are delivered, or to you.</p>
${organisations.map((organisation) => formFor(organisation, `Create it in the organisation ${organisation}`))}
${formFor(null, "Create it in your own account")}
<form method="get" action="${PATH}"><input type="hidden" name="host" value="${key}">
<input name="organisation" aria-label="Organisation" placeholder="another organisation" required>
<button>Choose</button></form>
${others.map((other) => html`<p><a href="${PATH}?host=${encodeURIComponent(other)}">For hosts.${other}</a></p>`)}`;
}

/** GitHub leads here. A page of another site brings no session with it, so nothing is done yet. */
async function sendOn(send: SendPage, state: FormState, request: Request, response: Response): Promise<void> {
  const query = new URLSearchParams({ code: text(request.query.code), state: text(request.query.state) });
  if (state.subjectOf(text(request.query.state)) === null || !isCode(text(request.query.code))) {
    await sendError(
      send,
      request,
      response,
      400,
      "This link is not from this server, or is older than an hour. Begin again.",
    );
    return;
  }
  const form = html`<form method="post" data-send-on action="${CALLBACK}?${query.toString()}"><button>Finish</button></form>`;
  await send(request, response, { title: "Set up a GitHub App", body: html`<h1>The App is made</h1>${form}` });
}

async function finish(
  options: Sending,
  state: FormState,
  by: Actor,
  request: Request,
  response: Response,
): Promise<void> {
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") {
    await sendError(
      options.send,
      request,
      response,
      403,
      "This form was sent from a page of another site. Begin again.",
    );
    return;
  }
  const key = state.subjectOf(text(request.query.state));
  const host = key === null ? undefined : options.hosts.get(key);
  const code = text(request.query.code);
  if (key === null || host === undefined || !isCode(code)) {
    await sendError(
      options.send,
      request,
      response,
      400,
      "This link is not from this server, or is older than an hour. Begin again.",
    );
    return;
  }
  let app: MadeApp;
  try {
    app = await host.setup.exchange(code);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TransientError)) throw error;
    await sendError(options.send, request, response, 502, error.message);
    return;
  }
  const files = await options.save(app, by);
  await options.send(request, response, { title: "Set up a GitHub App", body: done(key, app, files) });
}

/** The secrets themselves are not shown: they are in files. */
function done(key: string, app: MadeApp, files: { privateKey: string; webhookSecret: string }): Markup {
  const config = [
    "hosts:",
    `  ${key}:`,
    "    type: github",
    `    webhookSecret: "\${file:${files.webhookSecret}}"`,
    "    app:",
    `      id: ${app.id}`,
    `      privateKey: "\${file:${files.privateKey}}"`,
  ].join("\n");
  return html`<h1>The App ${app.name} is made</h1>
<p>Its secrets are in two files that only deliverd can read. Put this into the configuration, in the place of
<code>token</code> and the earlier <code>webhookSecret</code>, and restart deliverd:</p>
<pre>${config}</pre>
<p>Then install the App for the repos that are to be delivered: <a href="${app.installUrl}">${app.installUrl}</a></p>
<p>If receiver and worker run on several machines, copy both files to each. <code>deliverd doctor</code> checks the
App.</p>`;
}

async function sendError(
  send: SendPage,
  request: Request,
  response: Response,
  status: number,
  message: string,
): Promise<void> {
  const body = html`<h1>Not set up</h1><p>${message}</p><p><a href="${PATH}">Begin again</a></p>`;
  await send(request, response, { title: "Set up a GitHub App", body, status });
}

function isCode(code: string): boolean {
  return /^[\w-]{1,200}$/.test(code);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
