import express, { Router } from "express";
import type { Auth } from "../api/auth.ts";
import { addToAudit } from "../ledger/audit.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { html, type Markup } from "./html.ts";
import type { SendPage } from "./page.ts";

/** The sign-in page. */
export function signInRoute({ auth, ledger, send }: { auth: Auth; ledger: Ledger; send: SendPage }): Router {
  const router = Router({ caseSensitive: true });
  router.get("/sign-in", (request, response) =>
    send(request, response, { title: "Sign in", body: signInForm(localPath(request.query.to)) }),
  );
  // No compressed bodies: a few bytes of an unknown sender could become very many in memory.
  const form = express.urlencoded({ extended: false, limit: "16kb", inflate: false });
  router.post("/sign-in", form, async (request, response) => {
    const { token, to } = (request.body ?? {}) as { token?: unknown; to?: unknown };
    const path = localPath(to);
    const outcome = auth.signIn(typeof token === "string" ? token : "", request, response);
    switch (outcome.kind) {
      case "signed-in": {
        const { name, role } = outcome.person;
        const entry = { action: "sign-in", repoId: null, sha: null, outcome: `signed in as ${role}` } as const;
        await addToAudit(ledger, { person: name, via: "session", ...entry });
        response.redirect(303, path);
        return;
      }
      case "wrong":
        await send(request, response, {
          ...{ title: "Sign in", status: 401 },
          body: html`<p class="notice" role="alert">That is not the token.</p>${signInForm(path)}`,
        });
        return;
      case "later": {
        const seconds = Math.ceil(outcome.wait / 1000);
        response.set("retry-after", String(seconds));
        const message = html`<p class="notice" role="alert">Too many attempts have failed. Try again in ${seconds} s.</p>`;
        await send(request, response, { title: "Sign in", status: 429, body: html`${message}${signInForm(path)}` });
      }
    }
  });
  // Ending a session needs no role: whoever has it may end it.
  router.post("/sign-out", form, async (request, response) => {
    const person = auth.personOf(request);
    if (auth.isOwnForm(request) && person !== null) {
      const entry = { action: "sign-out", repoId: null, sha: null, outcome: "signed out" } as const;
      await addToAudit(ledger, { person: person.name, via: person.via, ...entry });
      auth.signOut(response);
    }
    response.redirect(303, "/sign-in");
  });
  return router;
}

/** A path on this server, or "/": a link to the sign-in page must not lead people to another site. */
function localPath(value: unknown): string {
  return typeof value === "string" && value.length <= 1_000 && /^\/(?![/\\])[^\p{Cc}]*$/u.test(value) ? value : "/";
}

function signInForm(to: string): Markup {
  return html`<h1>Sign in</h1>
<p>With a token that an administrator gave you, or with the server's admin token:
<code>adminToken</code> of its configuration, or the file <code>admin-token</code> in its data directory.</p>
<form class="line" method="post" action="/sign-in"><input type="hidden" name="to" value="${to}">
<input type="password" name="token" autocomplete="current-password" aria-label="Token" autofocus required>
<button>Sign in</button></form>`;
}
