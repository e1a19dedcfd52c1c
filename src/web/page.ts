import type { Request, Response } from "express";
import type { Auth } from "../api/auth.ts";
import type { Assets } from "./assets/serve.ts";
import { html, type Markup, type Value } from "./html.ts";

/**
 * Everything is forbidden but what this server serves, and forms that it receives. A script may make HTML only through
 * the policy of the pages' own script.
 */
const contentSecurityPolicy = (formTarget: string | undefined) =>
  [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    `form-action 'self'${formTarget === undefined ? "" : ` ${formTarget}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types deliverd",
  ].join("; ");

const PAGES = [
  { path: "/", name: "Now" },
  { path: "/deliveries", name: "Deliveries" },
  { path: "/releases", name: "Releases" },
];

export interface PageContent {
  title: string;
  body: Value;
  status?: number;
  /** The topic of `/events` that keeps the page current. */
  topic?: string | undefined;
  /** The origin of another site that forms of this page are sent to. */
  formTarget?: string;
  /** Writes what follows the body to the response, and returns the rest of it. */
  stream?: () => Promise<Markup>;
  /** For a screen on a wall: no header, and larger. */
  isWall?: boolean;
}

/** Sends whole pages. */
export type SendPage = (request: Request, response: Response, content: PageContent) => Promise<void>;

export function createSendPage(auth: Auth, assets: Assets): SendPage {
  return async (request, response, { title, body, status = 200, topic, stream, formTarget, isWall = false }) => {
    const { script, style } = await assets.paths();
    const attributes = html`${topic === undefined ? null : html` data-topic="${topic}"`}${isWall ? html` class="tv"` : null}`;
    const end = "</main></body></html>\n";
    const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · deliverd</title><link rel="stylesheet" href="${style}"><script type="module" src="${script}"></script></head>
<body${attributes}>${isWall ? null : headerOf(request, auth)}<main id="main">${body}`;
    response.status(status).set({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": contentSecurityPolicy(formTarget),
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy": "camera=(), geolocation=(), microphone=()",
      "x-content-type-options": "nosniff",
      "referrer-policy": "same-origin",
      "cache-control": "no-store",
    });
    if (stream === undefined || request.method === "HEAD") return void response.send(page.text + end);
    response.write(page.text);
    response.end((await stream()).text + end);
  };
}

function headerOf(request: Request, auth: Auth): Markup {
  const links = PAGES.map(
    ({ path, name }) => html`<a href="${path}"${request.path === path ? html` aria-current="page"` : null}>${name}</a>`,
  );
  return html`<a class="skip" href="#main">Skip to the content</a>
<header><a class="brand" href="/">deliverd</a><nav aria-label="Pages">${links}</nav>${account(request, auth)}</header>`;
}

function account(request: Request, auth: Auth): Markup {
  const person = auth.personOf(request);
  const token = auth.formTokenOf(request);
  if (person === null || token === null) return html`<a href="/sign-in">Sign in</a>`;
  return html`<form class="plain" method="post" action="/sign-out"><small>${person.name}, ${person.role}</small>
<input type="hidden" name="form" value="${token}"><button>Sign out</button></form>`;
}
