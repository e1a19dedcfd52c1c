import { createHash } from "node:crypto";
import type { Response } from "express";
import { html, Markup } from "./html.ts";

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
header a { font-weight: 600; text-decoration: none; color: inherit; }
h1 { font-size: 1.4rem; margin: 1.2rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: #8881; padding: .8rem; border-radius: 6px; overflow-x: auto; white-space: pre-wrap; }
.state { display: inline-block; padding: 0 .5rem; border-radius: 1rem; background: #8883; }
.delivered { background: #2da44e55; } .failed { background: #cf222e55; } .building, .publishing, .queued { background: #bf870055; }
.because { white-space: pre-line; overflow-wrap: anywhere; }
form { display: flex; gap: .5rem; } input { flex: 1; padding: .4rem; }
`;
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Everything is forbidden but this page's own style and script, requests to this server, and forms that it, or the given origin, receives. */
function contentSecurityPolicy(scriptSource: string, formTarget: string | undefined): string {
  return [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `script-src ${scriptSource}`,
    "connect-src 'self'",
    `form-action 'self'${formTarget === undefined ? "" : ` ${formTarget}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/**
 * Sends one page. Its Content-Security-Policy allows no other style, no script but the given one, and forms to this
 * server and to the origin `formTarget`.
 */
export function sendPage(
  response: Response,
  title: string,
  body: Markup,
  options: { status?: number; script?: string; formTarget?: string } = {},
): void {
  const script = options.script === undefined ? "" : `<script>${options.script}</script>`;
  const scriptSource =
    options.script === undefined
      ? "'none'"
      : `'sha256-${createHash("sha256").update(options.script).digest("base64")}'`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · deliverd</title><style>${new Markup(STYLE)}</style></head>
<body><header><a href="/">deliverd</a></header><main>${body}</main>${new Markup(script)}</body></html>
`;
  response
    .status(options.status ?? 200)
    .set({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": contentSecurityPolicy(scriptSource, options.formTarget),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    })
    .send(page.text);
}
